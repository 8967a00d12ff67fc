//! A call beside its arguments: what middleware sees and may change, and what a handler may ask about the call that it serves.
//!
//! Invariants:
//! * The request of a handler is its own fiber's, from the call's beginning to its end, whether it parks or not.
//! * A fiber that a handler spawns serves no call: it finds none.

use std::borrow::Cow;
use std::time::Instant;

use fibra_scheduler::ambient;

use crate::error::Peer;
use crate::metadata::Metadata;

/// A call, but for its arguments.
///
/// A handler asks for its own by [`current`](Self::current); middleware is [given](crate::middleware::Middleware::call) it.
#[derive(Clone, Debug)]
pub struct Request {
    method: Cow<'static, str>,
    peer: Peer,
    xid: Option<u64>,
    deadline: Option<Instant>,
    metadata: Metadata,
}

impl Request {
    pub(crate) fn new(
        method: Cow<'static, str>,
        peer: Peer,
        xid: Option<u64>,
        deadline: Option<Instant>,
        metadata: Metadata,
    ) -> Self {
        Self { method, peer, xid, deadline, metadata }
    }

    /// Of the calls that come from `peer`, [one](Self::begin) after the other.
    pub(crate) fn from(peer: Peer) -> Self {
        Self::new(Cow::Borrowed(""), peer, None, None, Metadata::new())
    }

    /// The next call begins, with nothing of the last one.
    #[expect(clippy::ptr_arg, reason = "a name that is borrowed for ever is taken as it is")]
    #[inline]
    pub(crate) fn begin(&mut self, method: &Cow<'static, str>, xid: u64, deadline: Option<Instant>) {
        (self.xid, self.deadline) = (Some(xid), deadline);
        match (&mut self.method, method) {
            // As a rule a text of the program.
            (Cow::Borrowed(before), Cow::Borrowed(name)) => *before = name,
            _ => self.rename(method),
        }
        if !self.metadata.is_empty() {
            self.forget_metadata();
        }
    }

    // Apart from what most calls need, so that they need not put registers by for it.
    #[inline(never)]
    #[expect(clippy::ptr_arg, reason = "a name that lasts for ever is not copied")]
    fn rename(&mut self, method: &Cow<'static, str>) {
        if self.method != *method {
            self.method = method.clone();
        }
    }

    #[inline(never)]
    fn forget_metadata(&mut self) {
        self.metadata = Metadata::new();
    }

    /// The call that the caller is the handler of; `None` if it is none, such as a fiber that a handler has spawned.
    ///
    /// ```
    /// use fibra_rpc::Request;
    ///
    /// // Within a handler:
    /// let tenant = Request::current().and_then(|request| request.metadata().text("tenant").map(str::to_owned));
    /// # assert_eq!(tenant, None);
    /// ```
    pub fn current() -> Option<Self> {
        Self::with_current(|request| request.cloned())
    }

    /// As [`current`](Self::current), without a copy.
    pub fn with_current<R>(f: impl FnOnce(Option<&Self>) -> R) -> R {
        ambient::get(f)
    }

    /// Runs `f` as the handler of this call.
    pub(crate) fn serve<R>(&self, f: impl FnOnce() -> R) -> R {
        ambient::with(self, f)
    }

    /// The full method name, `service.method`.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The other side: at the server the client, at the client the server. Of [several](crate::Channel::connect_to) it is the first: which one a
    /// call goes to is not known before it does.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// The call's number in its session, by which both sides' logs name it; at the client, `None`: it has none before it is sent.
    pub fn xid(&self) -> Option<u64> {
        self.xid
    }

    /// When the caller gives up.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// What came with the call, or is to go with it.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The same, to be changed: by middleware, for what comes behind it.
    pub fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }
}
