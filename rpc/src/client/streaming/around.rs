//! A client's middleware around a call with streams: code that waits, from the call's opening to its end. So it has a fiber of its own, or on a plain
//! thread another thread, while the caller sends and takes items.
//!
//! ```text
//!   caller:      begin ──────────── waits ─┬─ send, recv ··· ─┬─ waits ─▶ what the middleware returns
//!   its fiber:         first ─▶ second ─▶ opened            ended ─▶ second ─▶ first
//! ```
//!
//! Invariants:
//! * What opens the call is what the innermost middleware lets go on. Once it has been opened there is no second attempt.
//! * The caller is told of an end only when all middleware has returned; items are not held up.
//! * However that fiber ends, there is an end to tell.
//! * What it opens is the caller's, or is given up: also if the caller has gone meanwhile.

use std::sync::Arc;

use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::park::{self, Reason, Unparker};
use fibra_scheduler::{JoinHandle, cancel};
use parking_lot::Mutex;
use tracing::Span;

use super::super::calls::{Outcome, Why};
use super::super::exchange::{Exchange, Terms};
use super::super::options::CallOptions;
use super::super::streams::Watched;
use super::super::{Channel, Way};
use super::begin::{self, Begun};
use crate::error::{CallError, Callee, Executed};
use crate::metadata::Metadata;
use crate::middleware::Chain;
use crate::service::Method;
use crate::trace_context::TraceContext;

/// What the middleware of one call has come to.
#[derive(Default)]
pub(super) struct Around {
    state: Mutex<State>,
}

/// A call that has begun, and what it has begun with.
type Opened = (Begun, Terms);

/// What the middleware makes of its end.
type Ended = Result<Outcome, CallError>;

#[derive(Default)]
struct State {
    begun: Option<Opened>,
    /// It has begun, whoever has it now.
    is_opened: bool,
    ended: Option<Ended>,
    caller: Option<Unparker>,
    /// The caller takes nothing any more.
    is_left: bool,
}

/// Begins a call with these encoded `args` through the middleware of its channel.
pub(super) fn begin(
    channel: &Channel,
    exchange: &Exchange<'_>,
    options: &CallOptions,
    args: Vec<u8>,
) -> Result<(Begun, Terms, Arc<Around>), CallError> {
    let around = Arc::<Around>::default();
    let run = Run {
        around: Arc::clone(&around),
        way: channel.way.clone(),
        chain: channel.middleware().clone(),
        method: exchange.method().clone(),
        options: options.clone(),
        terms: exchange.terms(),
        callee: exchange.callee(),
        args,
        context: TraceContext::current(),
        span: Span::current(),
    };
    let runner = run.start().map_err(|error| {
        let message = format!("there is no fiber for its middleware: {error}");
        CallError::Overloaded { callee: exchange.callee(), message, pushback: None }
    })?;
    let waited = around.wait(|state| state.begun.is_some() || state.ended.is_some());
    let (begun, ended) = around.leave(waited.is_ok());
    if let Err(interrupted) = waited {
        drop(begun);
        // A plain thread's goes on by itself, and may open the call yet.
        let may_have_opened = runner.is_none_or(|runner| {
            runner.cancel();
            // Cancelled, it waits for nothing but what the middleware shields.
            let _ = runner.join();
            around.state.lock().is_opened
        });
        let executed = if may_have_opened { Executed::Maybe } else { Executed::No };
        return Err(exchange.ended(Why::Interrupted(interrupted), executed));
    }
    match (begun, ended) {
        (Some((begun, terms)), _) => Ok((begun, terms, around)),
        (None, Some(Err(error))) => Err(error),
        (None, ended) => {
            let message = "its middleware answered without opening it".to_owned();
            let executed = if ended.is_some() { Executed::No } else { Executed::Maybe };
            Err(CallError::Refused { callee: exchange.callee(), message, executed })
        }
    }
}

impl Around {
    /// Waits for the end.
    pub(super) fn ended(&self) -> Result<Ended, Interrupted> {
        loop {
            self.wait(|state| state.ended.is_some())?;
            if let Some(ended) = &self.state.lock().ended {
                return Ok(ended.clone());
            }
        }
    }

    fn wait(&self, until: impl Fn(&State) -> bool) -> Result<(), Interrupted> {
        loop {
            let mut state = self.state.lock();
            if until(&state) {
                return Ok(());
            }
            state.caller = Some(park::current());
            drop(state);
            park::wait(Reason::Call, None)?;
        }
    }

    /// What has begun, and how it has ended, if any of that; for a caller who `stays` to wait for the end, or does not.
    fn leave(&self, stays: bool) -> (Option<Opened>, Option<Ended>) {
        let mut state = self.state.lock();
        state.is_left = !stays;
        (state.begun.take(), state.ended.clone())
    }

    /// The call has begun. Gives it back if its caller has gone.
    fn begun(&self, begun: Begun, terms: Terms) -> Option<Begun> {
        let mut begun = Some(begun);
        self.change(|state| {
            state.is_opened = true;
            if !state.is_left {
                state.begun = begun.take().map(|begun| (begun, terms));
            }
        });
        begun
    }

    fn change(&self, how: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        how(&mut state);
        let caller = state.caller.take();
        drop(state);
        if let Some(caller) = caller {
            caller.unpark();
        }
    }
}

/// What the fiber of the middleware has.
struct Run {
    around: Arc<Around>,
    way: Way,
    chain: Chain,
    method: Method,
    options: CallOptions,
    terms: Terms,
    callee: Callee,
    args: Vec<u8>,
    /// The caller's place in a trace, and its span.
    context: Option<TraceContext>,
    span: Span,
}

impl Run {
    /// On a fiber; of a plain thread's call, on a thread: that has no handle, for nobody can cancel its caller.
    fn start(self) -> std::io::Result<Option<JoinHandle<()>>> {
        if !fibra_scheduler::in_fiber() {
            return std::thread::Builder::new().name("rpc middleware".to_owned()).spawn(|| self.run()).map(|_| None);
        }
        // It ends with its call, not with what bounds the caller's waits.
        let builder = fibra_scheduler::Builder::new().name("rpc middleware");
        cancel::shield(|| builder.spawn(|| self.run())).map(Some)
    }

    fn run(self) {
        let (context, span) = (self.context.clone(), self.span.clone());
        span.in_scope(|| match context {
            Some(context) => context.scope(|| self.go()),
            None => self.go(),
        });
    }

    fn go(&self) {
        let Self { around, way, chain, method, options, terms, args, .. } = self;
        let exchange = Exchange::new(way.to(), method, options).on(*terms);
        let mut is_open = false;
        let mut attempt = |metadata: &Metadata| {
            if is_open {
                let message = "a call with streams has one attempt once it is open".to_owned();
                let executed = Executed::Maybe;
                return Err(CallError::Refused { callee: exchange.callee(), message, executed });
            }
            let begun = exchange.begin_traced(metadata, |metadata| begin::begin(&exchange, way, args, metadata))?;
            is_open = true;
            let (stream, carrier) = (Arc::clone(&begun.stream), Arc::clone(&begun.carrier));
            let connection = begun.at.connection().cloned();
            // If nobody is there to have it, it is given up here.
            drop(around.begun(begun, exchange.terms()));
            loop {
                match stream.watch() {
                    Watched::Answered(outcome) => return Ok(outcome),
                    Watched::GivenUp => {
                        return Err(exchange.ended(Why::Interrupted(Interrupted::Cancelled), stream.executed()));
                    }
                    Watched::Lost => {
                        let cause = begin::cause(connection.as_ref());
                        return Err(exchange.ended(Why::Lost(cause), stream.executed()));
                    }
                    Watched::UnderWay => {}
                }
                if let Err(interrupted) = park::wait(Reason::Call, exchange.deadline()) {
                    stream.duplex().give_up(&*carrier);
                    return Err(exchange.ended(Why::Interrupted(interrupted), stream.executed()));
                }
            }
        };
        let ended = exchange.around(chain, &mut attempt);
        around.change(|state| state.ended = Some(ended));
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let callee = self.callee.clone();
        self.around.change(|state| {
            state.ended.get_or_insert_with(|| {
                let message = "its middleware did not return".to_owned();
                Err(CallError::Refused { callee, message, executed: Executed::Maybe })
            });
        });
    }
}
