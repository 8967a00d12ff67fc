//! One call, from its frame to its reply: no socket, no parking of its own.
//!
//! Invariant: whatever the method does, its panic included, exactly one reply frame comes out; none for a one-way call.

use std::any::Any;
use std::borrow::Cow;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use fibra_scheduler::clock;

use super::registry::{Named, Registry, Target};
use crate::call_span::CallSpan;
use crate::error::{CallError, Callee, Executed, Side};
use crate::limits::{PUSHBACK_FULL, PUSHBACK_MAX, PUSHBACK_MIN};
use crate::metadata::Metadata;
use crate::metrics::Shard;
use crate::middleware::{Chain, Denial, Kind, Outcome};
use crate::request::Request;
use crate::service::message::{Answered, Beside};
use crate::service::{Answer, Args, CallStreams, Rejected, Reply};
use crate::session;
use crate::wire::bytes::Bytes;
use crate::wire::encode::Body;
use crate::wire::failure::{Code, Pushback};
use crate::wire::frame::Call;

/// Why a call is turned away before anything of it is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refusal {
    /// Its timeout has passed.
    Expired,
    /// As many calls as this are under way on the connection.
    InFlight(usize),
    /// As many calls as this wait at the server.
    Waiting(usize),
    /// Its turn came too late, with more to do than can be done.
    Late {
        /// How long it has waited for that.
        waited: Duration,
    },
    /// The server is going down.
    Draining,
    /// It was sent before, and what it does goes on.
    InProgress,
    /// It comes after calls of its lane that had not ended when it was given up.
    NotItsTurn,
    /// As many calls as this wait for their turn in lanes of the session, or as many bytes of them as may be.
    HeldBack(usize),
    /// Nobody waits for it.
    Cancelled,
    /// Its session does not take it.
    Session(session::Refused),
    /// It streams, and there are no fibers that could read on while the handler waits.
    NoFibers,
    /// It streams, and there was no fiber left to write what it sends.
    NoFiberLeft,
}

/// Who serves a call.
#[derive(Clone, Copy)]
pub(super) struct Serving<'a> {
    pub(super) registry: &'a Registry,
    pub(super) middleware: &'a Chain,
    /// Longest body of a reply.
    pub(super) frame_bytes: usize,
    /// Where it is counted, as one that has begun at that time; if it is.
    pub(super) count: Option<(&'a Shard, Instant)>,
}

/// How a call that was let in has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ran {
    /// Whether the method has run.
    pub(super) has_run: bool,
    /// What it was answered with; `None`: a value.
    pub(super) failure: Option<Code>,
}

/// Runs a call, whose method's name has been looked up, and puts its reply in `out`. `request` is for whoever asks what call that is.
#[inline(always)] // Into the one place that most calls come from.
pub(super) fn run(
    serving: Serving<'_>,
    call: &mut Call,
    method: Named,
    request: &mut Request,
    deadline: Option<Instant>,
    streams: Option<CallStreams>,
    out: &mut Vec<u8>,
) -> Ran {
    let Serving { registry, middleware, frame_bytes: frame_bytes_max, count } = serving;
    let Some(target) = registry.target(method) else {
        let message = format!("the server has no method `{}`", call.method.escape_ascii());
        return serving.refuse(call, Code::UnknownMethod, &message, out);
    };
    call.method = Bytes::default();
    let wanted = call.streams();
    if target.streams() != wanted {
        let message = format!("the method has {}, the call {wanted}", target.streams());
        return serving.refuse(call, Code::BadArguments, &message, out);
    }
    request.begin(target.name(), call.xid, deadline);
    if let Some(metadata) = call.metadata.take() {
        match Metadata::decode(&metadata) {
            Ok(metadata) => *request.metadata_mut() = metadata,
            Err(unacceptable) => return serving.refuse(call, Code::BadMetadata, &unacceptable.to_string(), out),
        }
    }
    count.inspect(|(shard, _)| shard.begin(target.index(), call.args.len()));
    let beside = Beside { is_decoding: false, streams };
    let mut turn = Turn { target: &target, call, beside, frame_bytes_max, out, has_run: false };
    let ran = if middleware.is_empty() && !CallSpan::is_wanted(request) {
        turn.run(request)
    } else {
        turn.run_within(CallSpan::server(request), middleware, request)
    };
    if let Some((shard, began)) = count {
        shard.end(target.index(), ran.failure, clock::now().saturating_duration_since(began), out.len());
    }
    ran
}

impl Serving<'_> {
    /// Turns a call away that was let in, but cannot be run.
    #[cold]
    fn refuse(self, call: &Call, code: Code, message: &str, out: &mut Vec<u8>) -> Ran {
        Reply::new(out, call.xid, call.one_way, self.frame_bytes).failure(code, message);
        self.count.inspect(|(shard, _)| shard.refuse(code));
        Ran { has_run: false, failure: Some(code) }
    }
}

/// A call whose turn has come.
struct Turn<'a> {
    target: &'a Target<'a>,
    call: &'a mut Call,
    beside: Beside,
    frame_bytes_max: usize,
    out: &'a mut Vec<u8>,
    has_run: bool,
}

impl Turn<'_> {
    #[inline(always)]
    fn run(&mut self, request: &Request) -> Ran {
        let failure = match self.dispatch(request) {
            Ok(Answered::Value) => None,
            Ok(Answered::Application) => Some(Code::Application),
            Ok(Answered::Unsent(unsent)) => Some(unsent.0),
            Err((code, message)) => Some(self.fail_plainly(request, code, message)),
        };
        Ran { has_run: self.has_run, failure }
    }

    /// As [`run`](Self::run), with what is to happen around it.
    #[cold]
    fn run_within(&mut self, span: Option<CallSpan>, middleware: &Chain, request: &mut Request) -> Ran {
        let mut run = || {
            if middleware.is_empty() { self.run(request) } else { self.run_through(middleware, request) }
        };
        match span {
            None => run(),
            Some(span) => span.run(run, |ran| ran.failure.map(Code::name)),
        }
    }

    fn run_through(&mut self, middleware: &Chain, request: &mut Request) -> Ran {
        let mut steps = 0;
        let mut step = |request: &mut Request| {
            steps += 1;
            if steps > 1 { self.step_again(request) } else { self.step(request) }
        };
        // A panic leaves the request half-changed, which nobody looks at but for what never changes.
        let outcome = catch_unwind(AssertUnwindSafe(|| middleware.run(request, &mut step)));
        let failure = match outcome.map(|outcome| outcome.0) {
            // The reply lies in `out`, if this call's handler made it.
            Ok(Kind::Value(_)) if self.has_replied() => None,
            Ok(Kind::Application(_)) if self.has_replied() => Some(Code::Application),
            Ok(Kind::Value(_) | Kind::Application(_)) => {
                Some(self.fail(request, Code::Denied, "middleware answered with another call's outcome", |_| ()))
            }
            Ok(Kind::Failed(error)) => {
                let (code, message) = travelling(error);
                Some(self.fail(request, code, &message, |_| ()))
            }
            Ok(Kind::Denied(Denial { message, details, overloaded }, _)) => {
                // One that has run is said to be withheld, which has details, too, but of another kind.
                let overloaded = overloaded.filter(|_| !self.has_run);
                let details = |body: &mut Body<'_>| match overloaded {
                    Some(pushback) => body.push(&Pushback::encode(pushback)),
                    None if details.is_empty() => {}
                    None => details.encode(|piece| body.push(piece)),
                };
                let code = if overloaded.is_some() { Code::Overloaded } else { Code::Denied };
                Some(self.fail(request, code, &message, details))
            }
            Err(panic) => {
                let message = format!("middleware panicked: {}", panic_message(panic.as_ref()));
                tracing::error!(method = request.method(), peer = %request.peer(), message);
                discard(panic);
                let code = if self.has_run { Code::Panicked } else { Code::Denied };
                Some(self.fail(request, code, &message, |_| ()))
            }
        };
        Ran { has_run: self.has_run, failure }
    }

    /// Whether the handler has returned; then its reply lies in `out`, if there is to be one.
    fn has_replied(&self) -> bool {
        self.has_run && (self.call.one_way || !self.out.is_empty())
    }

    /// What the innermost middleware calls.
    fn step(&mut self, request: &Request) -> Outcome {
        let callee = self.callee(request);
        let failed = |(code, message)| {
            Kind::Failed(match code {
                Code::ReplyTooLarge => CallError::TooLarge { callee, side: Side::Reply, message },
                Code::ReplyUnencodable => CallError::BadReply { callee, message, executed: Executed::Yes },
                Code::Panicked => CallError::HandlerPanicked { callee, message },
                Code::UnknownMethod => CallError::UnknownMethod { callee, message },
                _ => CallError::BadArguments { callee, message },
            })
        };
        Outcome(match self.dispatch(request) {
            Ok(Answered::Value) => Kind::Value(Vec::new()),
            Ok(Answered::Application) => Kind::Application(Vec::new()),
            Ok(Answered::Unsent(unsent)) => failed(*unsent),
            Err(failure) => failed(failure),
        })
    }

    /// What the innermost middleware gets when it calls again.
    fn step_again(&self, request: &Request) -> Outcome {
        let executed = if self.has_run { Executed::Yes } else { Executed::No };
        let message = "at a server a call has one attempt".to_owned();
        Outcome(Kind::Failed(CallError::Refused { callee: self.callee(request), message, executed }))
    }

    fn callee(&self, request: &Request) -> Callee {
        Callee { method: self.target.name().clone(), peer: request.peer() }
    }

    /// Runs the method. What it answers lies in `out`; why it has no answer is returned.
    #[inline(always)] // Into the way of a call without middleware.
    fn dispatch(&mut self, request: &Request) -> Result<Answered, (Code, String)> {
        // What comes out is moved only if it is no value, as few are: a move that follows upon the writing waits for it.
        let mut other = None;
        // The service sees only what it was given, and what it wrote is cleared if it panics: nothing half-changed is seen.
        let is_value = catch_unwind(AssertUnwindSafe(|| {
            request.serve(|| match self.hand_over() {
                Ok(Answer(Answered::Value)) => true,
                outcome => {
                    other = Some(outcome);
                    false
                }
            })
        }));
        match (is_value, other) {
            (Err(panic), _) => Err(self.panicked(request, panic)),
            (_, Some(Err(Rejected::Method))) => Err((Code::UnknownMethod, Rejected::Method.to_string())),
            (_, Some(Err(Rejected::Arguments(reason)))) => Err((Code::BadArguments, reason)),
            (_, Some(Ok(answer))) => {
                self.has_run = true;
                Ok(answer.0)
            }
            (_, None) => {
                self.has_run = true;
                Ok(Answered::Value)
            }
        }
    }

    /// Hands the call to its service. What that takes is made only here: `catch_unwind` would move it.
    #[inline(always)]
    fn hand_over(&mut self) -> Result<Answer, Rejected> {
        let args = Args::new(&mut self.call.args, &mut self.beside);
        let reply = Reply::new(self.out, self.call.xid, self.call.one_way, self.frame_bytes_max);
        self.target.service.dispatch(self.target.number(), args, reply)
    }

    /// How a call has failed that panicked: while its arguments were decoded, or in its handler.
    #[cold]
    fn panicked(&mut self, request: &Request, panic: Box<dyn Any + Send>) -> (Code, String) {
        let message = panic_message(panic.as_ref());
        tracing::error!(method = request.method(), peer = %request.peer(), panic = message, "a handler panicked");
        // It may have been the arguments' own `Deserialize`; then the handler never began.
        self.has_run = !self.beside.is_decoding;
        let code = if self.has_run { Code::Panicked } else { Code::BadArguments };
        let message = message.to_owned();
        discard(panic);
        // It may have been in the midst of its reply.
        self.out.clear();
        (code, message)
    }

    /// As [`fail`](Self::fail), without details.
    #[cold]
    fn fail_plainly(&mut self, request: &Request, code: Code, message: String) -> Code {
        self.fail(request, code, &message, |_| ())
    }

    /// Answers with a failure, in the place of what has been written. Returns its code: never one that says of a method which has run that
    /// it has not.
    fn fail(&mut self, request: &Request, code: Code, message: &str, details: impl FnOnce(&mut Body<'_>)) -> Code {
        let says_run = matches!(code, Code::Panicked | Code::ReplyTooLarge | Code::ReplyUnencodable);
        let code = match (self.has_run, says_run) {
            (true, false) => Code::Withheld,
            (false, true) => Code::Denied,
            _ => code,
        };
        if self.call.one_way && !self.has_run {
            tracing::warn!(method = request.method(), peer = %request.peer(), reason = message, "dropped a one-way call");
        }
        self.out.clear();
        let reply = Reply::new(self.out, self.call.xid, self.call.one_way, self.frame_bytes_max);
        reply.failure_with(code, message, details);
        code
    }
}

/// How a failure travels that middleware has got, and returned.
fn travelling(error: CallError) -> (Code, String) {
    match error {
        CallError::HandlerPanicked { message, .. } => (Code::Panicked, message),
        CallError::UnknownMethod { message, .. } => (Code::UnknownMethod, message),
        CallError::BadArguments { message, .. } => (Code::BadArguments, message),
        CallError::TooLarge { side: Side::Reply, message, .. } => (Code::ReplyTooLarge, message),
        CallError::BadReply { message, .. } => (Code::ReplyUnencodable, message),
        CallError::Refused { message, .. } => (Code::Denied, message),
        // Of a call that the middleware itself has made.
        other => (Code::Denied, other.to_string()),
    }
}

/// Turns a call away, and puts that reply in `out`. Returns its code.
pub(super) fn refuse(xid: u64, one_way: bool, refusal: Refusal, frame_bytes_max: usize, out: &mut Vec<u8>) -> Code {
    let mut pushback = None;
    let (code, message) = match refusal {
        Refusal::Draining => {
            // Elsewhere, at once.
            pushback = Some(Pushback::After(Duration::ZERO));
            (Code::Overloaded, "the server is going down: call another".into())
        }
        Refusal::Late { waited } => {
            pushback = Some(Pushback::After((waited * 2).clamp(PUSHBACK_MIN, PUSHBACK_MAX)));
            (Code::Overloaded, format!("calls wait {waited:.0?} for their turn").into())
        }
        Refusal::Expired => (Code::Expired, "its timeout had passed when its turn came".into()),
        Refusal::InFlight(max) => (Code::Overloaded, format!("{max} calls are in flight on this connection").into()),
        Refusal::Waiting(max) => {
            pushback = Some(Pushback::After(PUSHBACK_FULL));
            (Code::Overloaded, format!("{max} calls wait at this server").into())
        }
        Refusal::NoFibers => {
            (Code::UnknownMethod, "a server with a thread for each connection serves no streams".into())
        }
        Refusal::NoFiberLeft => (Code::Overloaded, "there are as many fibers as there may be".into()),
        Refusal::NotItsTurn => (Code::Expired, "an earlier call of its lane had not ended when its time was up".into()),
        Refusal::HeldBack(max) => (
            Code::Overloaded,
            format!("the session has {max} calls, or too many bytes of them, that wait for their turn").into(),
        ),
        Refusal::Cancelled => (Code::Expired, "it was cancelled before its turn came".into()),
        Refusal::InProgress => (Code::InProgress, "an earlier copy of the call still runs".into()),
        Refusal::Session(refused) => (code(refused), Cow::Owned(refused.to_string())),
    };
    let details = |body: &mut Body<'_>| body.push(&Pushback::encode(pushback));
    Reply::new(out, xid, one_way, frame_bytes_max).failure_with(code, &message, details);
    code
}

/// How a refusal travels.
fn code(refused: session::Refused) -> Code {
    use session::Refused;
    match refused {
        Refused::Stale { .. } => Code::Stale,
        Refused::OutOfWindow { .. } => Code::OutOfWindow,
        Refused::Conflict => Code::Conflict,
        Refused::BadAcknowledgement => Code::BadAcknowledgement,
        Refused::Forgotten => Code::Forgotten,
        Refused::Overtaken { .. } => Code::Overtaken,
        // A connection has its session: what it can still be told is that another has taken its place.
        Refused::Expired | Refused::WrongIncarnation { .. } | Refused::NotYours => Code::SessionEnded,
    }
}

/// Drops a panic's payload, which is the user's and may panic itself. What that says is dropped no more.
fn discard(panic: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        mem::forget(again);
    }
}

/// What the panic said, if it said it as text.
fn panic_message(panic: &(dyn Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&str>() {
        text
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text
    } else {
        "no message"
    }
}
