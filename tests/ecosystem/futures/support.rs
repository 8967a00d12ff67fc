//! What these tests share.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use fibra::net::tls::{Handshake, TlsStream};
use fibra::net::{TcpListener, TcpStream};

use crate::certificates::{Authority, SERVER};

/// A free port on the loopback interface.
pub(crate) const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// No operation on a loopback connection takes so long: a lost wake-up shows as `TimedOut` instead of hanging the test.
pub(crate) const LOST: Duration = Duration::from_secs(30);

/// What a test fails with.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs `f` as the first fiber of a runtime with one worker: fibers switch only when they wait.
pub(crate) fn on_one_worker<T>(f: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    fibra::runtime::builder().workers(1).run(f)?
}

/// Both ends of a TCP connection.
pub(crate) fn pair() -> Result<(TcpStream, TcpStream), Failure> {
    let listener = TcpListener::bind(LOOPBACK)?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    Ok((near, listener.accept()?.0))
}

/// Both ends of a TLS connection; the client's first.
pub(crate) fn tls_pair() -> Result<(TlsStream, TlsStream), Failure> {
    let authority = Authority::new();
    let (near, far) = pair()?;
    let server = Handshake::server(far, Arc::new(authority.server()))?;
    let server = fibra::spawn_local(move || server.finish());
    let client = Handshake::client(near, SERVER, Arc::new(authority.client()))?.finish()?;
    Ok((client, join(server)?))
}

/// Writes as fibers do. (Where tokio's traits are in scope, std's methods of the same names need to be told apart.)
pub(crate) fn put(stream: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)
}

/// Reads a byte as fibers do.
pub(crate) fn take(stream: &mut impl Read) -> io::Result<u8> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    Ok(byte[0])
}

/// Runs a future that ends in a result.
pub(crate) fn block_on<T, E>(future: impl Future<Output = Result<T, E>>) -> Result<T, Failure>
where
    Failure: From<E>,
{
    Ok(fibra::block_on(future)??)
}

/// A fiber on this worker that is parked in `wait`, or has finished it, when this returns.
pub(crate) fn spawn_waiting<T: 'static>(wait: impl FnOnce() -> T + 'static) -> fibra::JoinHandle<T> {
    let begun = Rc::new(Cell::new(false));
    let fiber = fibra::spawn_local({
        let begun = Rc::clone(&begun);
        move || {
            begun.set(true);
            wait()
        }
    });
    while !begun.get() {
        fibra::yield_now();
    }
    fiber
}

/// What a fiber returned; its panic fails the test.
pub(crate) fn join<T>(fiber: fibra::JoinHandle<T>) -> T {
    fiber.join().expect("a fiber panicked")
}
