//! A server of hand-written frames: it answers each call as it is told, and goes down as the protocol has it.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fibra::net::{TcpListener, TcpStream};
use parking_lot::Mutex;

use super::raw::{self, CALL, GOAWAY, Raw};
use super::{LOOPBACK, wait_until};

/// Goaway: the server is going down.
pub(crate) const DRAINING: u8 = 6;

/// The frame that answers the n-th call, which has that xid.
type Answer = dyn Fn(u64, u64) -> Vec<u8> + Send + Sync;

pub(crate) struct Stub {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<fibra::JoinHandle<()>>,
}

struct Shared {
    calls: AtomicU64,
    open: AtomicU64,
    connections: Mutex<Vec<TcpStream>>,
    answer: Box<Answer>,
}

impl Stub {
    pub(crate) fn start(answer: impl Fn(u64, u64) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::start_at(LOOPBACK.parse().expect("an address"), 1, answer)
    }

    /// At that address, as a server of that incarnation.
    pub(crate) fn start_at(
        addr: SocketAddr,
        server: u64,
        answer: impl Fn(u64, u64) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(addr).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            calls: AtomicU64::new(0),
            open: AtomicU64::new(0),
            connections: Mutex::default(),
            answer: Box::new(answer),
        });
        let accepting = fibra::spawn({
            let shared = Arc::clone(&shared);
            move || {
                for stream in listener.incoming() {
                    // Its test has told it to stop.
                    let Ok(stream) = stream else { return };
                    shared.open.fetch_add(1, Ordering::SeqCst);
                    let shared = Arc::clone(&shared);
                    fibra::spawn(move || {
                        shared.serve(stream, server);
                        shared.open.fetch_sub(1, Ordering::SeqCst);
                    });
                }
            }
        });
        Self { addr, shared, accepting: Some(accepting) }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Calls that have come.
    pub(crate) fn calls(&self) -> u64 {
        self.shared.calls.load(Ordering::SeqCst)
    }

    /// Tells its clients that it is going down, answers what they have sent, and goes once they have left.
    pub(crate) fn drain(mut self) {
        self.stop_accepting();
        for connection in &*self.shared.connections.lock() {
            let _ = (&*connection).write_all(&raw::frame(GOAWAY, 0, &[DRAINING]));
        }
        wait_until(|| self.shared.open.load(Ordering::SeqCst) == 0);
    }

    /// Goes at once, as a process that is killed.
    pub(crate) fn kill(mut self) {
        self.stop_accepting();
        for connection in &*self.shared.connections.lock() {
            let _ = connection.shutdown(fibra::net::Shutdown::Both);
        }
        wait_until(|| self.shared.open.load(Ordering::SeqCst) == 0);
    }

    fn stop_accepting(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.cancel();
            super::join(accepting);
        }
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream, server: u64) {
        let opened = raw::Opened { server, ..raw::Opened::default() };
        self.connections.lock().push(stream.try_clone().expect("shared"));
        let mut raw = Raw::answer(stream, &opened).0;
        while let Some((kind, xid, _)) = raw.receive() {
            if kind == CALL {
                let nth = self.calls.fetch_add(1, Ordering::SeqCst);
                if raw.stream.write_all(&(self.answer)(nth, xid)).is_err() {
                    return;
                }
            }
        }
    }
}

/// A reply of nil.
pub(crate) fn nil(_nth: u64, xid: u64) -> Vec<u8> {
    raw::frame(raw::REPLY, xid, &[0xc0])
}

/// A refusal: overloaded.
pub(crate) fn overloaded(_nth: u64, xid: u64) -> Vec<u8> {
    raw::frame(raw::FAILURE, xid, &[6, 0, 0])
}
