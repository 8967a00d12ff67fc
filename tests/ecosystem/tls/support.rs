//! What these tests share.

use std::cell::Cell;
use std::io;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use fibra::net::tls::rustls::{ClientConfig, ServerConfig};
use fibra::net::tls::{Error, Handshake, TlsListener, TlsStream};
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
pub(crate) fn tcp_pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind(LOOPBACK)?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    for stream in [&near, &far] {
        stream.set_read_timeout(Some(LOST))?;
        stream.set_write_timeout(Some(LOST))?;
    }
    Ok((near, far))
}

/// What becomes of the handshake of `client` with `server`: at the client's end, and at the server's.
pub(crate) fn shake(client: ClientConfig, server: ServerConfig) -> Result<Ends, Failure> {
    shake_by_name(SERVER, client, server)
}

/// The outcome at the client's end and at the server's.
pub(crate) type Ends = (Result<TlsStream, Error>, Result<TlsStream, Error>);

pub(crate) fn shake_by_name(name: &str, client: ClientConfig, server: ServerConfig) -> Result<Ends, Failure> {
    let (near, far) = tcp_pair()?;
    let server = Handshake::server(far, Arc::new(server))?;
    let server = fibra::spawn_local(move || server.finish());
    let client = Handshake::client(near, name, Arc::new(client))?.finish();
    Ok((client, join(server)))
}

/// A client's end and a server's.
pub(crate) fn pair() -> Result<(TlsStream, TlsStream), Failure> {
    let authority = Authority::new();
    let (client, server) = shake(authority.client(), authority.server())?;
    Ok((client?, server?))
}

/// A listener, and what a client needs for it.
pub(crate) fn listener() -> Result<(TlsListener, Arc<ClientConfig>), Failure> {
    let authority = Authority::new();
    let listener = TlsListener::bind(LOOPBACK, Arc::new(authority.server()))?;
    Ok((listener, Arc::new(authority.client())))
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

/// The kind of an operation's error.
#[track_caller]
pub(crate) fn kind<T>(result: io::Result<T>) -> io::ErrorKind {
    result.err().expect("the operation succeeded").kind()
}
