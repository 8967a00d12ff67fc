//! Health: whether a server, or one of its services, wants calls. The service `fibra.health`, which every server has unless told otherwise.
//!
//! After the health checking protocol of gRPC: the empty name asks about the server as a whole.
//!
//! Invariant: a server that is on its way out serves nothing, whatever has been set.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use fibra_net::ToSocketAddrs;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::Channel;
use crate::client::Proxy;
use crate::error::{CallError, ConnectError};
use crate::service::{Answer, Args, Argument, Descriptor, Method, Rejected, Reply, Semantics, Service};

/// Whether a service wants calls.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// It does.
    Serving,
    /// It does not: it is not ready yet, is overloaded, or on its way out.
    NotServing,
    /// The server has no service of that name.
    Unknown,
}

/// What a server says about its health. Clones are of the same server.
///
/// Its services are [`Serving`](Status::Serving) until they are [set](Self::set) to something else, or the server is shut down.
#[derive(Clone)]
pub struct Health(Arc<Mutex<State>>);

struct State {
    services: HashMap<String, Status>,
    ends: bool,
}

impl Health {
    pub(crate) fn new<'a>(services: impl Iterator<Item = &'a str>) -> Self {
        let server = ("", Status::Serving);
        let all = services.map(|name| (name, Status::Serving)).chain([server]);
        let services = all.map(|(name, status)| (name.to_owned(), status)).collect();
        Self(Arc::new(Mutex::new(State { services, ends: false })))
    }

    /// What is to be said of a service; of the server as a whole, if the name is empty. Of one that the server does not have, too.
    ///
    /// ```
    /// # use fibra_rpc::{Server, health::Status};
    /// # fn not_ready(server: &Server) {
    /// server.health().set("calculator", Status::NotServing);
    /// # }
    /// ```
    pub fn set(&self, service: &str, status: Status) {
        self.0.lock().services.insert(service.to_owned(), status);
    }

    /// What is said of a service.
    pub fn check(&self, service: &str) -> Status {
        let state = self.0.lock();
        match state.services.get(service) {
            Some(Status::Serving) if state.ends => Status::NotServing,
            Some(status) => *status,
            None => Status::Unknown,
        }
    }

    /// From now on nothing is served, for good.
    pub(crate) fn end(&self) {
        self.0.lock().ends = true;
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.0.lock().services).finish()
    }
}

static METHODS: [Method; 1] = [Method::new("fibra.health.check", Semantics::Idempotent)
    .with_docs("Whether the service of this name wants calls; the empty name: the server as a whole.")
    .with_arguments(&[Argument::new("service", "String")])
    .with_value("Status")];

static DESCRIPTOR: Descriptor = Descriptor::new("fibra.health", &METHODS);

/// `fibra.health`, as a server serves it.
pub(crate) struct HealthService {
    pub(crate) health: Health,
}

impl Service for HealthService {
    fn descriptor(&self) -> &Descriptor {
        &DESCRIPTOR
    }

    fn dispatch(&self, method: usize, args: Args<'_>, reply: Reply<'_>) -> Result<Answer, Rejected> {
        match method {
            0 => {
                let (service,) = args.decode::<(String,)>(1)?;
                Ok(reply.value(&self.health.check(&service)))
            }
            _ => Err(Rejected::Method),
        }
    }
}

/// Asks a server about its health.
#[derive(Clone, Debug)]
pub struct HealthClient {
    proxy: Proxy,
}

impl HealthClient {
    /// Connects to a server.
    ///
    /// # Errors
    ///
    /// Those of [`Channel::connect`].
    pub fn connect(addr: impl ToSocketAddrs) -> Result<Self, ConnectError> {
        Proxy::connect(addr).map(|proxy| Self { proxy })
    }

    /// Asks over a connection that others may use too.
    pub fn new(channel: Channel) -> Self {
        Self { proxy: Proxy::new(channel) }
    }

    /// Whether the service of this name wants calls; the empty name: the server as a whole.
    ///
    /// # Errors
    ///
    /// Any [`CallError`]; [`UnknownMethod`](CallError::UnknownMethod) of a server that was told not to say.
    pub fn check(&self, service: &str) -> Result<Status, CallError> {
        let [check] = &METHODS;
        self.proxy.call(check, &(service,))
    }
}
