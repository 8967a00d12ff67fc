//! Middleware: what is to happen around calls, at a server or at a client. Blocking code, as handlers are.
//!
//! ```text
//!   server:  frame ─▶ deduplicated, admitted ─▶ first ─▶ second ─▶ handler
//!   client:  proxy ────────────────────────────▶ first ─▶ second ─▶ sent, sent again, answered
//! ```
//!
//! Each sees the [`Request`], lets it go on by [`Next::run`], and gets the [`Outcome`] back; or refuses by a [`Denial`] of its own.
//!
//! Invariants:
//! * What is refused is still that call's one answer: at a server, deduplication comes first, and a copy gets the same refusal.
//! * `executed()` stays true, whatever middleware does. A call that it refuses after having let it run counts as run, and one that it lets
//!   run again counts all of its attempts.
//! * Where there is none, a call costs one comparison more.

use std::fmt;
use std::sync::Arc;

use crate::error::{CallError, Callee, Executed, Pushback};
use crate::metadata::Metadata;
use crate::request::Request;

/// What is to happen around calls. Closures that take what [`call`](Self::call) takes are middleware.
///
/// ```
/// use fibra_rpc::Server;
/// use fibra_rpc::Request;
/// use fibra_rpc::middleware::{Denial, Next};
///
/// let server = Server::builder().middleware(|request: &mut Request, next: Next<'_>| {
///     if request.metadata().text("authorization") != Some("Bearer hunter2") {
///         return Denial::new("who are you?").with("realm", "calculators").into();
///     }
///     next.run(request)
/// });
/// # let _ = server;
/// ```
pub trait Middleware: Send + Sync + 'static {
    /// One call: changes its request, refuses it, or lets it go on, once or (at a client) several times, and returns what came of it.
    ///
    /// At a server it runs on the handler's fiber, under the call's deadline. A panic fails this call only.
    fn call(&self, request: &mut Request, next: Next<'_>) -> Outcome;
}

impl<F> Middleware for F
where
    F: Fn(&mut Request, Next<'_>) -> Outcome + Send + Sync + 'static,
{
    fn call(&self, request: &mut Request, next: Next<'_>) -> Outcome {
        self(request, next)
    }
}

/// The rest of a call's way: the middleware behind this one, and at its end the handler or the network.
pub struct Next<'a> {
    rest: &'a [Arc<dyn Middleware>],
    end: &'a mut dyn FnMut(&mut Request) -> Outcome,
    /// Whether it has run, over all attempts so far.
    executed: &'a mut Executed,
}

impl Next<'_> {
    /// Lets the call go on.
    pub fn run(mut self, request: &mut Request) -> Outcome {
        self.attempt(request)
    }

    /// As [`run`](Self::run), and may be called again: at a client each attempt is a call of its own, with an xid of its own. Whether that
    /// is safe the outcome [says](Outcome::executed). At a server a handler runs once, and a second attempt is refused.
    pub fn attempt(&mut self, request: &mut Request) -> Outcome {
        let mut executed = Executed::No;
        let outcome = match self.rest.split_first() {
            Some((first, rest)) => first.call(request, Next { rest, end: self.end, executed: &mut executed }),
            None => {
                let outcome = (self.end)(request);
                executed = outcome.executed();
                outcome
            }
        };
        *self.executed = self.executed.or(executed);
        outcome.after(executed)
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("middleware", &self.rest.len()).finish_non_exhaustive()
    }
}

/// What a call came to, as far as middleware is concerned.
#[derive(Debug)]
#[must_use = "it is what the caller gets"]
pub struct Outcome(pub(crate) Kind);

#[derive(Debug)]
pub(crate) enum Kind {
    /// The method's value; at a client, encoded. At a server it is on its way already.
    Value(Vec<u8>),
    /// The method's own error, likewise.
    Application(Vec<u8>),
    Failed(CallError),
    /// And whether what was refused has run.
    Denied(Denial, Executed),
}

impl Outcome {
    /// Whether the method returned a value.
    pub fn is_value(&self) -> bool {
        matches!(self.0, Kind::Value(_))
    }

    /// Whether the method returned its own error.
    pub fn is_application_error(&self) -> bool {
        matches!(self.0, Kind::Application(_))
    }

    /// Why the call failed, if neither is the case and no other middleware has refused it.
    pub fn error(&self) -> Option<&CallError> {
        match &self.0 {
            Kind::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// The refusal of other middleware, if that is what it came to.
    pub fn denial(&self) -> Option<&Denial> {
        match &self.0 {
            Kind::Denied(denial, _) => Some(denial),
            _ => None,
        }
    }

    /// Did the handler run? In that attempt, whatever other middleware has made of it: if it has made several, in any of them.
    pub fn executed(&self) -> Executed {
        match &self.0 {
            Kind::Value(_) | Kind::Application(_) => Executed::Yes,
            Kind::Failed(error) => error.executed(),
            Kind::Denied(_, executed) => *executed,
        }
    }

    /// The same, of what may have run before the outcome came to be, or has.
    fn after(self, earlier: Executed) -> Self {
        Self(match self.0 {
            Kind::Failed(error) => Kind::Failed(error.after(earlier)),
            Kind::Denied(denial, executed) => Kind::Denied(denial, executed.or(earlier)),
            value => value,
        })
    }
}

impl From<Denial> for Outcome {
    fn from(denial: Denial) -> Self {
        Self(Kind::Denied(denial, Executed::No))
    }
}

/// A refusal: the caller gets [`CallError::Denied`], or [`CallError::Overloaded`] if it [says when to try again](Self::overloaded).
#[derive(Clone, Debug)]
pub struct Denial {
    pub(crate) message: String,
    pub(crate) details: Metadata,
    pub(crate) overloaded: Option<Option<Pushback>>,
}

impl Denial {
    /// Refuses, with words for people.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), details: Metadata::new(), overloaded: None }
    }

    /// Refuses for want of capacity: the caller may try again, as `pushback` says.
    pub fn overloaded(message: impl Into<String>, pushback: Option<Pushback>) -> Self {
        Self { overloaded: Some(pushback), ..Self::new(message) }
    }

    /// The same, with a detail for programs. What [does not fit](Metadata::insert) is left out.
    pub fn with<'a>(mut self, key: &str, value: impl Into<crate::metadata::Value<'a>>) -> Self {
        if let Err(unacceptable) = self.details.insert(key, value) {
            tracing::warn!(key, %unacceptable, "left a detail of a refusal out");
        }
        self
    }

    /// The same, with these details in the place of others.
    pub fn with_details(self, details: Metadata) -> Self {
        Self { details, ..self }
    }

    /// Why, for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Why, for programs.
    pub fn details(&self) -> &Metadata {
        &self.details
    }

    /// As its caller gets it, when what it has let run counts as `executed`.
    pub(crate) fn into_error(self, callee: Callee, executed: Executed) -> CallError {
        let Self { message, details, overloaded } = self;
        match overloaded {
            Some(pushback) if executed == Executed::No => CallError::Overloaded { callee, message, pushback },
            _ => CallError::Denied { callee, message, details, executed },
        }
    }
}

/// Middleware in the order of its calling; usually none.
#[derive(Clone, Default)]
pub(crate) struct Chain(Option<Arc<[Arc<dyn Middleware>]>>);

impl Chain {
    /// The same, with one more at its inner end.
    pub(crate) fn with(&self, middleware: impl Middleware) -> Self {
        let added: Arc<dyn Middleware> = Arc::new(middleware);
        let before = self.0.iter().flat_map(|chain| chain.iter().cloned());
        Self(Some(before.chain([added]).collect()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Runs a call through it, to `end`.
    pub(crate) fn run(&self, request: &mut Request, end: &mut dyn FnMut(&mut Request) -> Outcome) -> Outcome {
        let mut executed = Executed::No;
        Next { rest: self.0.as_deref().unwrap_or_default(), end, executed: &mut executed }.run(request)
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Chain").field(&self.0.as_ref().map_or(0, |chain| chain.len())).finish()
    }
}
