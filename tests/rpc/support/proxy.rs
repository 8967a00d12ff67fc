//! A TCP proxy between client and server that does to their connections what networks do.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use fibra::net::{Shutdown, TcpListener, TcpStream};
use parking_lot::Mutex;

use super::{LOOPBACK, wait_until};

/// Passes connections on, until told otherwise.
#[derive(Clone)]
pub(crate) struct Proxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    server: Mutex<SocketAddr>,
    connections: Mutex<Vec<(TcpStream, TcpStream)>>,
    accepted: AtomicU64,
    to_server: Way,
    to_client: Way,
    /// What clients have sent to the present server, by connection.
    recorded: Mutex<Vec<Vec<u8>>>,
}

/// One direction, of all connections.
#[derive(Default)]
pub(crate) struct Way {
    /// What comes is dropped.
    loses: AtomicBool,
    lost_bytes: AtomicU64,
    delay_micros: AtomicU64,
}

impl Way {
    /// Whether it did before.
    pub(crate) fn lose(&self, loses: bool) -> bool {
        self.loses.swap(loses, Ordering::SeqCst)
    }

    pub(crate) fn wait_for_lost(&self, bytes: u64) {
        wait_until(|| self.lost_bytes.load(Ordering::SeqCst) >= bytes);
    }

    pub(crate) fn delay(&self, delay: Duration) {
        self.delay_micros.store(u64::try_from(delay.as_micros()).expect("a test's delay"), Ordering::SeqCst);
    }
}

impl Proxy {
    pub(crate) fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            server: Mutex::new(server),
            connections: Mutex::default(),
            accepted: AtomicU64::new(0),
            to_server: Way::default(),
            to_client: Way::default(),
            recorded: Mutex::default(),
        });
        fibra::spawn({
            let shared = Arc::clone(&shared);
            move || {
                for client in listener.incoming() {
                    let Ok(client) = client else { return };
                    shared.accepted.fetch_add(1, Ordering::SeqCst);
                    let server = *shared.server.lock();
                    // Dropped, if there is no server now.
                    if let Ok(server) = TcpStream::connect(server) {
                        pass_on(&shared, &client, &server);
                    }
                }
            }
        });
        Self { addr, shared }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Connections that clients have made.
    pub(crate) fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    pub(crate) fn to_server(&self) -> &Way {
        &self.shared.to_server
    }

    pub(crate) fn to_client(&self) -> &Way {
        &self.shared.to_client
    }

    /// Ends all connections.
    pub(crate) fn cut(&self) {
        for (client, server) in self.shared.connections.lock().drain(..) {
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        }
    }

    /// Passes new connections on to that server. Clients' earlier ones are to be cut.
    pub(crate) fn redirect(&self, server: SocketAddr) {
        let mut recorded = self.shared.recorded.lock();
        *self.shared.server.lock() = server;
        recorded.clear();
    }

    /// Sends what a client has sent on an earlier connection once more, byte by byte, on one of its own.
    pub(crate) fn repeat(&self, which: usize) {
        let recorded = self.shared.recorded.lock();
        let Some(index) = which.checked_rem(recorded.len()) else { return };
        let bytes = recorded[index].clone();
        let server = *self.shared.server.lock();
        drop(recorded);
        fibra::spawn(move || {
            let Ok(mut server) = TcpStream::connect(server) else { return };
            let Ok(mut replies) = server.try_clone() else { return };
            let reader = fibra::spawn(move || std::io::copy(&mut replies, &mut std::io::sink()));
            // The preface has to be answered before the rest; the server does not mind that it comes early.
            let _ = server.write_all(&bytes);
            let _ = server.shutdown(Shutdown::Write);
            let _ = reader.join();
        });
    }
}

fn pass_on(shared: &Arc<Shared>, client: &TcpStream, server: &TcpStream) {
    let clone = |stream: &TcpStream| stream.try_clone().expect("shared");
    let index = {
        let mut recorded = shared.recorded.lock();
        recorded.push(Vec::new());
        recorded.len() - 1
    };
    shared.connections.lock().push((clone(client), clone(server)));
    for up in [true, false] {
        let (from, to) = if up { (clone(client), clone(server)) } else { (clone(server), clone(client)) };
        let shared = Arc::clone(shared);
        fibra::spawn(move || pump(&shared, up.then_some(index), from, to));
    }
}

fn pump(shared: &Shared, record: Option<usize>, mut from: TcpStream, mut to: TcpStream) {
    let way = if record.is_some() { &shared.to_server } else { &shared.to_client };
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if let Some(index) = record
            && let Some(recorded) = shared.recorded.lock().get_mut(index)
        {
            recorded.extend_from_slice(&buffer[..count]);
        }
        let delay = Duration::from_micros(way.delay_micros.load(Ordering::SeqCst));
        if !delay.is_zero() && fibra::sleep(delay).is_err() {
            break;
        }
        if way.loses.load(Ordering::SeqCst) {
            way.lost_bytes.fetch_add(count as u64, Ordering::SeqCst);
        } else if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
