//! Health: whether a server, or one of its services, wants calls. The service `fibra.health`, which every server has unless told otherwise.
//!
//! After the health checking protocol of gRPC: the empty name asks about the server as a whole.
//!
//! Invariants:
//! * A server that is on its way out serves nothing, whatever has been set.
//! * Who watches is told the last status in the end, though perhaps not each in between; and holds up nobody who goes down.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use fibra_net::ToSocketAddrs;
use fibra_scheduler::park::{self, Reason};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::Channel;
use crate::client::{Nothing, Proxy, Streaming};
use crate::error::{CallError, ConnectError};
use crate::limits::CALL_TIMEOUT_MAX;
use crate::service::{Answer, Args, Argument, Descriptor, Method, Rejected, Reply, Semantics, Service};
use crate::waiters::Waiters;

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
    /// Who waits for a change of any.
    watchers: Waiters,
}

impl Health {
    pub(crate) fn new<'a>(services: impl Iterator<Item = &'a str>) -> Self {
        let server = ("", Status::Serving);
        let all = services.map(|name| (name, Status::Serving)).chain([server]);
        let services = all.map(|(name, status)| (name.to_owned(), status)).collect();
        Self(Arc::new(Mutex::new(State { services, ends: false, watchers: Waiters::default() })))
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
        self.change(|state| state.services.insert(service.to_owned(), status) != Some(status));
    }

    /// What is said of a service.
    pub fn check(&self, service: &str) -> Status {
        self.0.lock().check(service)
    }

    /// From now on nothing is served, for good.
    pub(crate) fn end(&self) {
        self.change(|state| !std::mem::replace(&mut state.ends, true));
    }

    /// Changes something, if `how` says so, and tells who watches.
    fn change(&self, how: impl FnOnce(&mut State) -> bool) {
        let mut state = self.0.lock();
        if how(&mut state) {
            let watchers = state.watchers.take_all();
            drop(state);
            watchers.wake();
        }
    }

    /// Tells `told` what is said of a service, now and whenever that changes; until it will not change any more, `told` has had enough, or the
    /// caller is cancelled or past its deadline.
    fn watch(&self, service: &str, mut told: impl FnMut(Status) -> bool) {
        let mut last = None;
        loop {
            let mut state = self.0.lock();
            let (status, ends) = (state.check(service), state.ends);
            if last == Some(status) && !ends {
                let ticket = state.watchers.add();
                drop(state);
                let waited = park::wait(Reason::Call, None);
                self.0.lock().watchers.leave(ticket);
                if waited.is_err() {
                    return;
                }
                continue;
            }
            drop(state);
            if (last != Some(status) && !told(status)) || ends {
                return;
            }
            last = Some(status);
        }
    }
}

impl State {
    fn check(&self, service: &str) -> Status {
        match self.services.get(service) {
            Some(Status::Serving) if self.ends => Status::NotServing,
            Some(status) => *status,
            None => Status::Unknown,
        }
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.0.lock().services).finish()
    }
}

static METHODS: [Method; 2] = [
    Method::new("fibra.health.check", Semantics::Idempotent)
        .with_docs("Whether the service of this name wants calls; the empty name: the server as a whole.")
        .with_arguments(&[Argument::new("service", "String")])
        .with_value("Status"),
    Method::new("fibra.health.watch", Semantics::AtMostOnce)
        .with_docs("The same, now and whenever it changes; ends when the server goes down.")
        .with_arguments(&[Argument::new("service", "String")])
        .with_value("()")
        .with_server_items("Status"),
];

static DESCRIPTOR: Descriptor = Descriptor::new("fibra.health", &METHODS);

/// `fibra.health`, as a server serves it.
pub(crate) struct HealthService {
    pub(crate) health: Health,
}

impl Service for HealthService {
    fn descriptor(&self) -> &Descriptor {
        &DESCRIPTOR
    }

    fn dispatch(&self, method: usize, mut args: Args<'_>, reply: Reply<'_>) -> Result<Answer, Rejected> {
        match method {
            0 => {
                let (service,) = args.decode::<(String,)>(1)?;
                Ok(reply.value(&self.health.check(&service)))
            }
            1 => {
                let statuses = args.sender::<Status>()?;
                let (service,) = args.decode::<(String,)>(1)?;
                self.health.watch(&service, |status| statuses.send(status).is_ok());
                Ok(reply.value(&()))
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
        let [check, _] = &METHODS;
        self.proxy.call(check, &(service,))
    }

    /// The same, now and whenever it changes, until the server goes down or what is returned is dropped; for a [day](CALL_TIMEOUT_MAX) at most. Who
    /// takes its time may miss what did not last. At the server it takes a fiber; one with a thread for each connection has no such method.
    ///
    /// ```no_run
    /// # fn f(health: &fibra_rpc::health::HealthClient) -> Result<(), Box<dyn std::error::Error>> {
    /// for status in health.watch("calculator")? {
    ///     println!("{:?}", status?);
    /// }
    /// // The server goes down.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// A [`CallError`] whose [`executed`](CallError::executed) is `No`. Others are the last item.
    pub fn watch(&self, service: &str) -> Result<Streaming<Nothing, Status, ()>, CallError> {
        let [_, watch] = &METHODS;
        self.proxy.within(CALL_TIMEOUT_MAX).stream(watch, &(service,))
    }
}
