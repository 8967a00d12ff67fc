//! What to serve, within which limits, and where.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fibra_net::{TcpListener, ToSocketAddrs};
use serde::Serialize;

use super::Server;
use super::accept::{Acceptor, Context, Mode};
use super::drain::{Drain, DrainStage};
use super::foreign::guests::Guests;
use super::leaders::Leaders;
use super::load::Load;
use super::local::Local;
use super::registry::Registry;
use super::roster::Roster;
use super::sigterm::Sigterm;
use super::store::Chosen;
use crate::dialect::{Dialect, Dialects, name};
use crate::error::BindError;
use crate::health::{Health, HealthService};
use crate::limits::{
    CONNECTIONS_MAX, FRAME_TIMEOUT, Limits, QUEUE_DELAY_MAX, SERVER_BUFFERED_BYTES_MAX, SERVER_WAITING_MAX,
    SESSION_LEASE,
};
use crate::metrics::Metrics;
use crate::middleware::{Chain, Middleware};
use crate::service::{self, Arguments, Method, Service};

/// Gathers what a [`Server`] needs. Made by [`Server::builder`].
#[must_use = "a builder serves nothing until it is bound"]
pub struct Builder {
    services: Vec<Box<dyn Service>>,
    limits: Limits,
    connections_max: usize,
    waiting_max: usize,
    buffered_bytes_max: usize,
    frame_timeout: Duration,
    session_lease: Duration,
    middleware: Chain,
    counts: bool,
    says_health: bool,
    mode: Mode,
    reflection: bool,
    drain_on_sigterm: Option<Duration>,
    queue_delay_max: Duration,
    dialects: Dialects,
    json_rpc_path: String,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            services: Vec::new(),
            limits: Limits::default(),
            connections_max: CONNECTIONS_MAX,
            waiting_max: SERVER_WAITING_MAX,
            buffered_bytes_max: SERVER_BUFFERED_BYTES_MAX,
            frame_timeout: FRAME_TIMEOUT,
            session_lease: SESSION_LEASE,
            middleware: Chain::default(),
            counts: false,
            says_health: true,
            mode: Mode::Fibers,
            reflection: true,
            drain_on_sigterm: None,
            queue_delay_max: QUEUE_DELAY_MAX,
            dialects: Dialects::ALL,
            json_rpc_path: "/".to_owned(),
        }
    }

    /// Serves `service` too. Any number may be served at once, each under its own name.
    pub fn service(mut self, service: impl Service) -> Self {
        self.services.push(Box::new(service));
        self
    }

    /// Serves a method that no trait describes: its name and a closure, which takes the arguments as one tuple.
    ///
    /// A name alone is a method that runs at most once; a [`Method`] says more, such as its semantics. Callers use
    /// [`Proxy::call`](crate::client::Proxy::call), or a proxy that is generated elsewhere.
    ///
    /// ```
    /// use fibra_rpc::Server;
    /// use fibra_rpc::service::{Method, Semantics};
    ///
    /// let server = Server::builder()
    ///     .method("clock.set", |(seconds,): (u64,)| println!("it is {seconds}"))
    ///     .method(Method::named("calculator.add", Semantics::Idempotent), |(a, b): (i64, i64)| a + b);
    /// # let _ = server;
    /// ```
    pub fn method<A, T, F>(self, method: impl Into<Method>, f: F) -> Self
    where
        A: Arguments,
        T: Serialize,
        F: Fn(A) -> T + Send + Sync + 'static,
    {
        self.service(service::of_value(method.into(), f))
    }

    /// As [`method`](Self::method), with a closure that may fail: its error is the method's own.
    pub fn fallible_method<A, T, E, F>(self, method: impl Into<Method>, f: F) -> Self
    where
        A: Arguments,
        T: Serialize,
        E: Serialize,
        F: Fn(A) -> Result<T, E> + Send + Sync + 'static,
    {
        self.service(service::of_result(method.into(), f))
    }

    /// Whether callers may ask what is served, by the service `fibra.reflection`: see [`reflection`](crate::reflection). Default: yes.
    pub fn reflection(mut self, reflection: bool) -> Self {
        self.reflection = reflection;
        self
    }

    /// Does not speak this dialect: a connection that begins with it is closed. Default: all [dialects](Dialect) are spoken, each by clients that others
    /// wrote, on the one port; see `docs/protocols.md`.
    ///
    /// ```
    /// use fibra_rpc::Server;
    /// use fibra_rpc::dialect::Dialect;
    ///
    /// let server = Server::builder().without(Dialect::MessagePackRpc);
    /// # let _ = server;
    /// ```
    pub fn without(mut self, dialect: Dialect) -> Self {
        self.dialects = self.dialects.without(dialect);
        self
    }

    /// Where JSON-RPC is taken over HTTP, by POST. Default: `/`.
    pub fn json_rpc_path(mut self, path: impl Into<String>) -> Self {
        self.json_rpc_path = path.into();
        self
    }

    /// Speaks the native protocol only.
    pub fn native_only(mut self) -> Self {
        self.dialects = Dialects::NONE;
        self
    }

    /// The limits of each connection. Default: [`Limits::default`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits.bounded();
        self
    }

    /// Connections at a time; those beyond are closed at once. Default: [`CONNECTIONS_MAX`].
    pub fn connections_max(mut self, connections: usize) -> Self {
        self.connections_max = connections;
        self
    }

    /// Calls, over all connections, whose handlers wait for something: each holds a fiber. Default: [`SERVER_WAITING_MAX`].
    ///
    /// With as many, a call is refused as [`Overloaded`](crate::CallError::Overloaded), and has not run, also if it would not wait; its client is told
    /// to try again [later](crate::limits::PUSHBACK_FULL). A copy of a call that runs is not refused, but if its connection has others that wait, it
    /// is put off until one of them has ended. With a thread for each connection, the number of connections is the limit.
    pub fn waiting_max(mut self, calls: usize) -> Self {
        self.waiting_max = calls.max(1);
        self
    }

    /// Bytes that all connections together hold because their peers are slow: memory for frames that have come in part, and output that was
    /// not taken at once. Default: [`SERVER_BUFFERED_BYTES_MAX`].
    ///
    /// With more, a connection with such output is not read from until it has none, and who sends on one of its streams waits; one with a frame in
    /// part is closed, with a warning, unless it holds no more than an equal part for each connection. So it may come to twice as much.
    pub fn buffered_bytes_max(mut self, bytes: usize) -> Self {
        self.buffered_bytes_max = bytes;
        self
    }

    /// How long a client may take to send a frame, from its first byte to its last; the time in which this side does not read is not counted. One
    /// that takes longer is closed, with a warning. Default: [`FRAME_TIMEOUT`]; `Duration::MAX`: as long as it takes.
    pub fn frame_timeout(mut self, timeout: Duration) -> Self {
        self.frame_timeout = timeout;
        self
    }

    /// How long a session lasts without a connection. A client that comes back later is told that it has ended, and its calls that had
    /// been sent end as [`Maybe`](crate::Executed::Maybe). Default: [`SESSION_LEASE`].
    pub fn session_lease(mut self, lease: Duration) -> Self {
        self.session_lease = lease;
        self
    }

    /// Lets every call go through `middleware`: what is added first is the outermost, and sees a call before the others and its outcome
    /// after them.
    ///
    /// It sees calls of methods that the server has, once each: a call that has been answered is not asked about again.
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        self.middleware = self.middleware.with(middleware);
        self
    }

    /// Counts calls by method and outcome, and how long they take: see [`Server::metrics`]. Default: off, and then it costs nothing.
    pub fn metrics(mut self) -> Self {
        self.counts = true;
        self
    }

    /// Without the service `fibra.health`; see [`health`](crate::health).
    pub fn without_health(mut self) -> Self {
        self.says_health = false;
        self
    }

    /// How long a call may wait for its turn while there is more to do than can be done. Default: [`QUEUE_DELAY_MAX`]; `Duration::MAX`: as long as
    /// its caller waits.
    ///
    /// Calls wait while those before them run, until they end or wait for something themselves. When the calls of a worker have waited without a break
    /// for [`QUEUE_STANDS_AFTER`](crate::limits::QUEUE_STANDS_AFTER), those that have waited longer than this are refused as
    /// [`Overloaded`](crate::CallError::Overloaded), so that others are answered in time. They have not run, and their clients are told when to try
    /// again. Where calls take long, they may wait for as long as a few of them take ([`QUEUE_DELAY_CALLS`](crate::limits::QUEUE_DELAY_CALLS)); and each may wait for a
    /// twentieth of its timeout ([`QUEUE_DELAY_SHARE`](crate::limits::QUEUE_DELAY_SHARE)).
    ///
    /// Calls that stream are not refused for this, nor is any by a server with a thread for each connection.
    pub fn queue_delay_max(mut self, delay: Duration) -> Self {
        self.queue_delay_max = delay;
        self
    }

    /// [Drains](Server::drain) the server when the process is told to end by SIGTERM, within `timeout`. The process then no longer ends by that
    /// signal: return from `main` when [`Server::wait`] has returned, which it does when the drain is over. Another SIGTERM cuts it short.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Duration;
    /// // Within fibra::run(|| ..), as the last of `main`:
    /// let server = fibra_rpc::Server::builder().drain_on_sigterm(Duration::from_secs(20)).bind("127.0.0.1:7000")?;
    /// server.wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn drain_on_sigterm(mut self, timeout: Duration) -> Self {
        self.drain_on_sigterm = Some(timeout);
        self
    }

    /// Serves each connection on an OS thread of its own rather than a fiber: the same handlers, to compare with, and to
    /// serve without a runtime.
    ///
    /// The calls of one connection then run one after the other, since a thread that blocks cannot hand its reading on.
    pub fn thread_per_connection(mut self) -> Self {
        self.mode = Mode::Threads;
        self
    }

    /// What serves callers of this process.
    pub(crate) fn into_local(self) -> Result<Local, BindError> {
        let registry = Registry::new(self.services, self.reflection)?;
        Ok(Local::new(registry, self.middleware, self.limits))
    }

    /// Listens on `addr` and starts to serve. Port 0 takes any free one: see [`Server::local_addr`].
    ///
    /// # Errors
    ///
    /// * [`BindError::NoRuntime`]: not called from a fiber; see
    ///   [`thread_per_connection`](Self::thread_per_connection) for serving without.
    /// * [`BindError::DuplicateMethod`]: two services have a method of one name.
    /// * [`BindError::Resolve`]: `addr` has no address.
    /// * [`BindError::AddressInUse`], [`BindError::Io`]: the last of its addresses cannot be had.
    /// * [`BindError::Spawn`]: the accept loop, or what listens for SIGTERM, could not be started.
    pub fn bind(self, addr: impl ToSocketAddrs) -> Result<Server, BindError> {
        if self.mode == Mode::Fibers && !fibra_scheduler::in_fiber() {
            return Err(BindError::NoRuntime);
        }
        let mut services = self.services;
        let health = Health::new(services.iter().map(|service| service.descriptor().name()));
        if self.says_health {
            services.push(Box::new(HealthService { health: health.clone() }));
        }
        let registry = Registry::new(services, self.reflection)?;
        let bare_names = name::bare(registry.names());
        let metrics = self.counts.then(|| Arc::new(Metrics::new(registry.names())));
        let (listener, local_addr) = listen(addr)?;
        let roster = Arc::new(Roster::new(self.connections_max));
        let sessions = Arc::new(Chosen::new(self.limits.window, self.session_lease));
        let context = Arc::new(Context {
            registry,
            limits: self.limits,
            roster: Arc::clone(&roster),
            leaders: Arc::new(Leaders::default()),
            sessions,
            middleware: self.middleware,
            metrics,
            stage: DrainStage::default(),
            load: Load::new(self.waiting_max, self.buffered_bytes_max),
            queue_delay_max: self.queue_delay_max,
            frame_timeout: self.frame_timeout,
            dialects: self.dialects,
            bare_names,
            guests: Guests::default(),
            json_rpc_path: self.json_rpc_path,
            health: self.says_health.then(|| health.clone()),
        });
        let acceptor =
            Acceptor::start(self.mode, listener, local_addr, Arc::clone(&context)).map_err(BindError::Spawn)?;
        let drain = Arc::new(Drain::new(Arc::clone(&acceptor), Arc::clone(&context), health.clone()));
        let mut server = Server { local_addr, acceptor, roster, context, health, drain, sigterm: None };
        if let Some(timeout) = self.drain_on_sigterm {
            server.sigterm = Some(Sigterm::listen(&server.drain, timeout).map_err(BindError::Spawn)?);
        }
        Ok(server)
    }
}

/// Listens on the first address that can be had.
fn listen(addr: impl ToSocketAddrs) -> Result<(TcpListener, SocketAddr), BindError> {
    let mut failed = None;
    for addr in addr.to_socket_addrs().map_err(BindError::Resolve)? {
        match TcpListener::bind(addr).and_then(|listener| listener.local_addr().map(|local| (listener, local))) {
            Ok(listening) => return Ok(listening),
            Err(source) if source.kind() == io::ErrorKind::AddrInUse => failed = Some(BindError::AddressInUse { addr }),
            Err(source) => failed = Some(BindError::Io { addr, source }),
        }
    }
    Err(failed.unwrap_or_else(|| BindError::Resolve(io::Error::new(io::ErrorKind::NotFound, "it has no addresses"))))
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let services: Vec<_> = self.services.iter().map(|service| service.descriptor().name()).collect();
        f.debug_struct("Builder")
            .field("services", &services)
            .field("limits", &self.limits)
            .field("connections_max", &self.connections_max)
            .field("waiting_max", &self.waiting_max)
            .field("buffered_bytes_max", &self.buffered_bytes_max)
            .field("session_lease", &self.session_lease)
            .field("middleware", &self.middleware)
            .field("mode", &self.mode)
            .finish()
    }
}
