//! One call of another protocol, through what all calls go through: names and arguments as the native protocol has them, limits, middleware, the handler.
//!
//! Invariants:
//! * A call has a deadline: its client's, or [`CALL_TIMEOUT`].
//! * A call of a [key](Beside::key) runs once: see `keyed`.
//! * What waits counts among what the server lets wait, from its first park on.

use std::time::Instant;

use fibra_scheduler::park;
use fibra_scheduler::{cancel, clear_locals, clock, in_fiber};

use super::{Foreign, Room, Turn};
use crate::dialect::answer::{Answer, Failure};
use crate::dialect::arguments;
use crate::dialect::beside::Beside;
use crate::error::Peer;
use crate::limits::{CALL_TIMEOUT, CALL_TIMEOUT_MAX, METHOD_NAME_BYTES_MAX};
use crate::request::Request;
use crate::scratch;
use crate::server::admission::Late;
use crate::server::handler::{self, Refusal, Serving};
use crate::server::registry::{Hint, Target};
use crate::service::Argument;
use crate::wire::decode::Decoder;
use crate::wire::failure::Code;
use crate::wire::frame::Call;

/// What a client asks for, in whichever dialect.
pub(super) struct Asked<'a> {
    /// The method, by any of its names.
    pub(super) method: &'a str,
    /// One MessagePack value, or nothing.
    pub(super) params: Vec<u8>,
    pub(super) shape: Shape,
    /// No answer is awaited.
    pub(super) one_way: bool,
    pub(super) beside: Beside,
}

/// How parameters become arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// See [`arguments::from_params`].
    Plain,
    /// See [`arguments::from_one_param`].
    OneParam,
}

/// What became of a call that was to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admitted {
    /// For want of capacity or time.
    Refused,
    /// It has been answered.
    Run {
        /// Whether by its handler.
        has_run: bool,
    },
}

impl Foreign {
    /// Runs a call, or refuses it; `None`: no answer is awaited.
    pub(super) fn call(&self, asked: Asked<'_>, turn: Turn) -> Option<Answer> {
        let one_way = asked.one_way;
        let answer = self.answer(asked, turn);
        (!one_way).then_some(answer)
    }

    fn answer(&self, asked: Asked<'_>, turn: Turn) -> Answer {
        let Asked { method: name, params, shape, one_way, beside } = asked;
        let Some(target) = self.find(name) else {
            let shown = name.get(..METHOD_NAME_BYTES_MAX).unwrap_or(name).escape_debug();
            return self.fail(Code::UnknownMethod, format!("the server has no method `{shown}`"));
        };
        let args = match shape.arguments(params, target.arguments()) {
            Ok(args) => args,
            Err(complaint) => return self.fail(Code::BadArguments, complaint),
        };
        let xid = self.last_xid.get() + 1;
        self.last_xid.set(xid);
        let timeout = beside.timeout.unwrap_or(CALL_TIMEOUT).min(CALL_TIMEOUT_MAX);
        let call = Call {
            xid,
            behind: u16::MAX,
            one_way,
            idempotent: false,
            ordered: None,
            client_stream: false,
            server_stream: None,
            timeout,
            metadata: (!beside.metadata.is_empty()).then(|| {
                let mut bytes = Vec::with_capacity(beside.metadata.encoded_len());
                beside.metadata.encode(|piece| bytes.extend_from_slice(piece));
                bytes.into()
            }),
            method: target.name().as_bytes().to_vec().into(),
            args: args.into(),
        };
        let mut out = Vec::new();
        match &beside.key {
            Some(key) if !one_way => match self.run_once(call, key, turn, &mut out) {
                Ok(()) => {}
                Err(answer) => return answer,
            },
            _ => {
                self.admit_and_run(&mut { call }, turn, &mut out);
            }
        }
        let frame = Decoder::of(out, usize::MAX).next_frame().ok().flatten();
        // There is one unless the call was one-way, and then nobody asks.
        frame.and_then(Answer::of_frame).unwrap_or_else(|| Failure::new(Code::ReplyUnencodable, "no reply").into())
    }

    /// The method of that name, in any of its spellings.
    fn find(&self, name: &str) -> Option<Target<'_>> {
        let registry = &self.context.registry;
        let exactly = |name: &str| registry.target(registry.named(name.as_bytes(), Hint::NONE));
        exactly(name).or_else(|| {
            let canonical = crate::dialect::name::canonical(name);
            exactly(&canonical).or_else(|| exactly(self.context.bare_names.get(&canonical)?))
        })
    }

    fn fail(&self, code: Code, message: String) -> Answer {
        if let Some(shard) = &self.shard {
            shard.refuse(code);
        }
        Failure::new(code, message).into()
    }

    /// Puts the native reply in `out`.
    pub(super) fn admit_and_run(&self, call: &mut Call, turn: Turn, out: &mut Vec<u8>) -> Admitted {
        let deadline = turn.read_at.checked_add(call.timeout);
        let now = clock::now();
        if let Some(shard) = &self.shard {
            shard.queue(now.saturating_duration_since(turn.read_at));
        }
        if let Some(refusal) = self.refusal(call, turn, deadline, now) {
            self.refuse(call, refusal, out);
            return Admitted::Refused;
        }
        Admitted::Run { has_run: self.run(call, deadline, now, out) }
    }

    /// Puts a refusal in `out`.
    pub(super) fn refuse(&self, call: &Call, refusal: Refusal, out: &mut Vec<u8>) {
        out.clear();
        let code = handler::refuse(call.xid, call.one_way, refusal, self.context.limits.frame_bytes, out);
        if let Some(shard) = &self.shard {
            shard.refuse(code);
        }
    }

    /// Whether the handler has run.
    fn run(&self, call: &mut Call, deadline: Option<Instant>, now: Instant, out: &mut Vec<u8>) -> bool {
        let mut waits = None;
        let mut parks = || waits = Some(self.context.load.waits());
        let context = &*self.context;
        let count = self.shard.as_deref().map(|shard| (shard, now));
        let (registry, middleware) = (&context.registry, &context.middleware);
        let serving = Serving { registry, middleware, frame_bytes: context.limits.frame_bytes, count };
        let mut request = Request::from(Peer::Remote(self.peer));
        let method = registry.named(&call.method, Hint::NONE);
        *out = scratch::take();
        let ran = park::on_first_park(&mut parks, || {
            cancel::with_deadline(deadline, || handler::run(serving, call, method, &mut request, deadline, None, out))
        });
        // Other calls may run on this fiber, or thread, behind it.
        clear_locals();
        ran.has_run
    }

    fn refusal(&self, call: &Call, turn: Turn, deadline: Option<Instant>, now: Instant) -> Option<Refusal> {
        let context = &*self.context;
        if deadline.is_some_and(|deadline| deadline <= now) {
            return Some(Refusal::Expired);
        }
        if context.stage.is_refusing() {
            return Some(Refusal::Draining);
        }
        match turn.room {
            Room::Some => {}
            Room::InFlight => return Some(Refusal::InFlight(context.limits.in_flight)),
            Room::NoFiber => return Some(Refusal::NoFiberLeft),
        }
        if let Some(max) = context.load.is_full() {
            return Some(Refusal::Waiting(max));
        }
        self.refuses_late(call, turn, deadline, now)
    }

    /// Whether a call that has waited for its turn is refused, since there is more to do than can be done. How long its fiber waited for its worker says so.
    fn refuses_late(&self, call: &Call, turn: Turn, deadline: Option<Instant>, now: Instant) -> Option<Refusal> {
        let waited = now.saturating_duration_since(turn.read_at);
        if waited <= self.context.queue_delay_max || !in_fiber() {
            self.in_time_at.set(now);
            return None;
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(now));
        let late = Late { now, waited, empty_at: self.in_time_at.get(), timeout: call.timeout, left };
        (!self.admission.borrow_mut().admits(late)).then_some(Refusal::Late { waited })
    }
}

impl Shape {
    fn arguments(self, params: Vec<u8>, arguments: &[Argument]) -> Result<Vec<u8>, String> {
        match self {
            Self::Plain => arguments::from_params(params, arguments),
            Self::OneParam => arguments::from_one_param(params, arguments),
        }
    }
}
