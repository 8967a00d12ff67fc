//! A socket that listens for TLS connections.
//!
//! Invariant: a [`Handshake`] that came from here holds one of the listener's permits.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fibra_scheduler::sync::Semaphore;
use parking_lot::Mutex;
use rustls::ServerConfig;

use super::{HANDSHAKE_TIMEOUT, Handshake};
use crate::accept_loop::AcceptLoop;
use crate::{TcpListener, TcpStream, ToSocketAddrs, serve};

/// How many connections may be in their handshake, unless the listener says otherwise.
const HANDSHAKES_MAX: usize = 1024;

/// A TLS server's socket.
///
/// It accepts [`Handshake`]s, each to be [finished](Handshake::finish) by the fiber that serves the connection:
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// # fn config() -> std::sync::Arc<fibra_net::tls::rustls::ServerConfig> { unimplemented!() }
/// # fibra_scheduler::runtime::Builder::new(fibra_net::reactor::Factory::default()).run(|| {
/// use fibra_net::tls::TlsListener;
///
/// let listener = TlsListener::bind("127.0.0.1:7443", config())?;
/// listener.serve(|handshake, peer| match handshake.finish() {
///     Ok(stream) => println!("{peer}: {:?}", stream.protocol_version()),
///     Err(error) => println!("{peer}: {error}, {:?}", error.fault()),
/// })
/// # })?
/// # }
/// ```
///
/// # Why accepting does not make the handshake
///
/// A handshake waits for its peer, so whoever accepts must not wait for it. Fibers in the background could, and hand over finished
/// streams; but then each connection is served on another worker than the one whose reactor has it, or pays for being moved; there is a
/// queue more to be bounded; and nobody is there to be told why a handshake failed. In the fiber that serves the connection it costs
/// nothing more, ends with that fiber, and its error is where the connection's others are. That it is a type of its own,
/// instead of a stream that makes its handshake when first used, is why a [`TlsStream`](crate::tls::TlsStream) always knows its peer.
///
/// # Limits
///
/// * A handshake has 10 s from when it was accepted, or as [`handshake_timeout`](Self::handshake_timeout) says.
/// * At most 1024 are under way, or as [`max_handshakes`](Self::max_handshakes) says. Accepting waits while there are so many, with
///   one connection more; the others stay in the backlog. So a flood of peers that say nothing costs what so many handshakes cost, and holds others up for
///   no longer than the timeout. One that nobody finishes or drops counts, too.
#[derive(Debug)]
pub struct TlsListener {
    tcp: TcpListener,
    config: Arc<ServerConfig>,
    handshakes: Arc<Semaphore>,
    handshake_timeout: Duration,
    put_back: Arc<PutBack>,
}

/// Connections that were accepted by who was then cut while it waited for a handshake to end: no more than there are who accept.
type PutBack = Mutex<VecDeque<(TcpStream, SocketAddr)>>;

impl TlsListener {
    /// Listens on the first of `addr`'s addresses that can be bound, as [`TcpListener::bind`] does.
    ///
    /// # Errors
    ///
    /// As [`TcpListener::bind`].
    pub fn bind<A: ToSocketAddrs>(addr: A, config: Arc<ServerConfig>) -> io::Result<Self> {
        Ok(Self::new(TcpListener::bind(addr)?, config))
    }

    /// Listens for TLS on a socket that listens.
    #[must_use]
    pub fn new(tcp: TcpListener, config: Arc<ServerConfig>) -> Self {
        let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
        Self { tcp, config, handshakes, handshake_timeout: HANDSHAKE_TIMEOUT, put_back: Arc::default() }
    }

    /// How long a handshake may take. Default: 10 s.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// How many handshakes may be under way at once. Default: 1024.
    ///
    /// # Panics
    ///
    /// If it is 0, or more than a [`Semaphore`] has permits.
    #[must_use]
    pub fn max_handshakes(mut self, max: usize) -> Self {
        assert!(max > 0, "without a handshake there is no connection");
        self.handshakes = Arc::new(Semaphore::new(max));
        self
    }

    /// Waits for a connection, and until fewer handshakes than the limit are under way. Returns it with its peer's address. A connection for
    /// which the second wait was cut is returned by the next call.
    ///
    /// # Errors
    ///
    /// As [`TcpListener::accept`]; `InvalidInput` also if the configuration is inconsistent.
    pub fn accept(&self) -> io::Result<(Handshake, SocketAddr)> {
        // In a statement of its own, so that the lock is not held any more.
        let put_back = self.put_back.lock().pop_front();
        let (stream, peer) = put_back.map_or_else(|| self.tcp.accept(), Ok)?;
        let permit = match self.handshakes.acquire_owned() {
            Ok(permit) => permit,
            Err(interrupted) => {
                self.put_back.lock().push_back((stream, peer));
                return Err(interrupted.into());
            }
        };
        // Its time begins here: it is not to pay for those before it.
        let handshake = Handshake::server(stream, Arc::clone(&self.config))?;
        Ok((handshake.timeout(self.handshake_timeout).under(permit), peer))
    }

    /// The connections, one after the other. It outlives what [`TcpListener::incoming`] does.
    ///
    /// ```no_run
    /// # fn main() -> std::io::Result<()> {
    /// # fn config() -> std::sync::Arc<fibra_net::tls::rustls::ServerConfig> { unimplemented!() }
    /// # fibra_scheduler::runtime::Builder::new(fibra_net::reactor::Factory::default()).run(|| {
    /// for handshake in fibra_net::tls::TlsListener::bind("127.0.0.1:7443", config())?.incoming() {
    ///     let handshake = handshake?;
    ///     fibra_scheduler::spawn(move || {
    ///         let mut stream = handshake.finish()?;
    ///         std::io::Write::write_all(&mut stream, b"hello")
    ///     });
    /// }
    /// # Ok(())
    /// # })?
    /// # }
    /// ```
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self, state: AcceptLoop::new() }
    }

    /// Accepts on every worker, and runs `handle` for each connection, on a fiber of its own, as [`TcpListener::serve`] does.
    ///
    /// # Errors
    ///
    /// As [`TcpListener::serve`].
    pub fn serve<H>(&self, handle: H) -> io::Result<()>
    where
        H: Fn(Handshake, SocketAddr) + Send + Sync + 'static,
    {
        let listener = self.try_clone()?;
        let error = serve::on_each_worker(move || listener.accept(), move |(handshake, peer)| handle(handshake, peer));
        if self.tcp.is_shut_down() { Ok(()) } else { Err(error) }
    }

    /// Another handle to the same socket, with the same limit.
    ///
    /// # Errors
    ///
    /// None; see [`TcpListener::try_clone`].
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            tcp: self.tcp.try_clone()?,
            config: Arc::clone(&self.config),
            handshakes: Arc::clone(&self.handshakes),
            handshake_timeout: self.handshake_timeout,
            put_back: Arc::clone(&self.put_back),
        })
    }

    /// Ends the listening, as [`TcpListener::shutdown`] does. A connection that was accepted, and waits until there are fewer
    /// handshakes, is still returned.
    ///
    /// # Errors
    ///
    /// As [`TcpListener::shutdown`].
    pub fn shutdown(&self) -> io::Result<()> {
        self.tcp.shutdown()
    }

    /// The address that it listens on.
    ///
    /// # Errors
    ///
    /// As [`TcpListener::local_addr`].
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// The TCP listener, for its options.
    #[must_use]
    pub fn get_ref(&self) -> &TcpListener {
        &self.tcp
    }
}

/// The connections that a [`TlsListener`] accepts; made by [`incoming`](TlsListener::incoming).
#[derive(Debug)]
#[must_use = "iterators are lazy: without a loop over it, nothing is accepted"]
pub struct Incoming<'a> {
    listener: &'a TlsListener,
    state: AcceptLoop,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<Handshake>;

    fn next(&mut self) -> Option<Self::Item> {
        self.state.next(|| Ok(self.listener.accept()?.0))
    }
}

impl std::iter::FusedIterator for Incoming<'_> {}
