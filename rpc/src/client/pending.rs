//! Calls that are started and not waited for: handles.
//!
//! ```text
//!   proxy.start().add(3, 5) ─▶ Pending ─┬─ join, join_timeout, try_join, select! ─▶ Result<i64, CallError>
//!                                       └─ cancel, drop ─▶ the server is told that nobody waits
//! ```
//!
//! A handle is the call's entry in its channel's table, and no more: no fiber and no allocation of its own, so that one fiber may have
//! hundreds of calls under way.
//!
//! Invariants:
//! * A handle gives its result once. It is then no longer ready, so that a loop of `select!` passes it over.
//! * The deadline of a call counts from its start, whoever joins it and when; an answer that is there is given, however late.
//! * A call goes on where it can, and is made again where that is safe, however it is waited for: who joins it does so itself; of one that is only
//!   looked at, or waited for with others, a follower (`follower.rs`) does.
//! * A handle that goes without having given its result takes its entry with it.

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::sync::Joinable;
use fibra_scheduler::{cancel, clock};

use super::attempts::Ended;
use super::calls::handle::Answer;
use super::calls::{Calls, Outcome, Why};
use super::chosen::Stay;
use super::endpoint::Endpoints;
use super::exchange::{Exchange, Terms, To, tell};
use super::follower::{Follower, Last, goes_on};
use crate::error::{CallError, Disconnect, Executed};
use crate::service::{Method, Semantics};
use crate::session::Xid;

/// A call under way: a handle to its result. Made by the methods of `proxy.start()`.
///
/// It may be joined by another fiber or thread than the one that started the call. Dropping it cancels the call: the server is told, and does
/// not run what it has not begun.
///
/// ```
/// # #[fibra_rpc::service(crate = fibra_rpc)]
/// # pub trait Calculator { fn add(&self, a: i64, b: i64) -> i64; }
/// use fibra_rpc::CallError;
/// use fibra_rpc::client::Pending;
///
/// fn squares(calculator: &CalculatorClient) -> Result<Vec<i64>, CallError> {
///     let doubles: Vec<Pending<i64>> = (0..256).map(|n| calculator.start().add(n, n)).collect();
///     doubles.into_iter().map(Pending::join).collect()
/// }
/// # let _ = squares;
/// ```
///
/// In a `select!`, beside channels, it is `join(handle) -> result => ..`.
///
/// However it is waited for, it goes on where the plain call would: it is [retried](super::retry), and goes to another connection if its server goes
/// down. Only [`join`](Self::join) does so in its caller's fiber; for whoever looks, or waits for a while or for several, a fiber is started then. On
/// a plain thread there is none to be had: there they are told how the first attempt has ended. Such an error says that the call has not run, unless it
/// is idempotent: it may be started again.
#[must_use = "a call is cancelled when its handle is dropped: join it"]
pub struct Pending<T, E = Infallible> {
    stage: Stage<T, E>,
}

enum Stage<T, E> {
    UnderWay(Call<T, E>),
    Followed(Followed<T, E>),
    Ended(Result<T, CallError<E>>),
    /// The result has been given.
    Given,
}

/// A call that has its entry.
struct Call<T, E> {
    at: Stay,
    method: Cow<'static, Method>,
    xid: Xid,
    /// Whether its frame was left to be sent with others, and may not have been.
    held: bool,
    terms: Terms,
    read: Read<T, E>,
}

/// A call that has left its entry, and goes on.
struct Followed<T, E> {
    follower: Follower,
    endpoints: Arc<Endpoints>,
    method: Cow<'static, Method>,
    deadline: Option<Instant>,
    read: Read<T, E>,
}

/// What makes a result of an outcome.
pub(super) type Read<T, E> = fn(&Exchange<'_>, Outcome) -> Result<T, CallError<E>>;

impl<T, E> Pending<T, E> {
    /// Of a call that has begun.
    pub(super) fn under_way(
        method: Cow<'static, Method>,
        (at, xid): (Stay, Xid),
        held: bool,
        terms: Terms,
        read: Read<T, E>,
    ) -> Self {
        Self { stage: Stage::UnderWay(Call { at, method, xid, held, terms, read }) }
    }

    /// Of a call that has ended already.
    pub(super) fn ended(result: Result<T, CallError<E>>) -> Self {
        Self { stage: Stage::Ended(result) }
    }

    /// Waits for the result: until the call's own deadline, or the ambient one.
    ///
    /// # Errors
    ///
    /// As those of the plain call.
    ///
    /// # Panics
    ///
    /// If the result has been given before, by [`try_join`](Self::try_join), [`join_timeout`](Self::join_timeout) or a `select!`.
    #[track_caller]
    pub fn join(mut self) -> Result<T, CallError<E>> {
        match mem::replace(&mut self.stage, Stage::Given) {
            Stage::UnderWay(mut call) => {
                call.subscribe();
                let answer = call.calls().wait(call.xid, call.terms.deadline);
                let (call, ended) = call.ended(answer);
                call.end(ended, true)
            }
            Stage::Followed(mut call) => {
                let last = call.follower.wait(None);
                call.end(last)
            }
            Stage::Ended(result) => result,
            Stage::Given => panic!("the result of this call has been given before"),
        }
    }

    /// Waits for up to `timeout`; `None` if the call is still under way then. It then goes on.
    pub fn join_timeout(&mut self, timeout: Duration) -> Option<Result<T, CallError<E>>> {
        let until = clock::now().checked_add(timeout);
        let result = self.take(|call| {
            call.subscribe();
            let calls = call.calls();
            match until.filter(|&until| call.terms.deadline.is_none_or(|deadline| until < deadline)) {
                Some(until) => calls.wait_until(call.xid, call.terms.deadline, until),
                None => Some(calls.wait(call.xid, call.terms.deadline)),
            }
        });
        if result.is_some() {
            return result;
        }
        self.take_followed(|follower| follower.wait(until))
    }

    /// The result, if it is there. `None` also if it has been given before.
    pub fn try_join(&mut self) -> Option<Result<T, CallError<E>>> {
        let result = self.take(Call::look);
        if result.is_some() {
            return result;
        }
        self.take_followed(|follower| follower.ended())
    }

    /// Gives the call up, as dropping the handle does: the server is told.
    pub fn cancel(self) {
        drop(self);
    }

    /// Waits for the first of several calls to end, and takes its result out of `handles`: its place there, and the result. `None` if all
    /// results have been given.
    ///
    /// Ends as [`join`](Self::join) does; when the caller is interrupted, so is the first call of those that are left.
    ///
    /// ```
    /// # #[fibra_rpc::service(crate = fibra_rpc)]
    /// # pub trait Search { fn find(&self, text: String) -> Option<u64>; }
    /// use fibra_rpc::client::Pending;
    ///
    /// fn first_found(mirrors: &[SearchClient], text: &str) -> Option<u64> {
    ///     let mut searches: Vec<_> = mirrors.iter().map(|mirror| mirror.start().find(text.to_owned())).collect();
    ///     while let Some((_, result)) = Pending::join_any(&mut searches) {
    ///         if let Ok(Some(found)) = result {
    ///             return Some(found); // The others are cancelled.
    ///         }
    ///     }
    ///     None
    /// }
    /// # let _ = first_found;
    /// ```
    pub fn join_any(handles: &mut [Self]) -> Option<(usize, Result<T, CallError<E>>)> {
        loop {
            let mut until = None::<Instant>;
            let mut first_left = None;
            for (index, handle) in handles.iter_mut().enumerate() {
                handle.subscribe();
                if let Some(result) = handle.try_join() {
                    return Some((index, result));
                }
                if handle.is_under_way() {
                    first_left.get_or_insert(index);
                    until = [until, handle.deadline()].into_iter().flatten().min();
                }
            }
            let first_left = first_left?;
            if let Err(interrupted) = park::wait(Reason::Call, until)
                && cancel::check().is_err()
                && let Some(handle) = handles.get_mut(first_left)
                && let Some(result) = handle.interrupt(interrupted)
            {
                return Some((first_left, result));
            }
        }
    }

    fn is_under_way(&self) -> bool {
        matches!(self.stage, Stage::UnderWay(_) | Stage::Followed(_))
    }

    /// Ends the call if `answer` has one; if that is not its last, it goes on, and there is no result yet.
    fn take(&mut self, answer: impl FnOnce(&mut Call<T, E>) -> Option<Answer>) -> Option<Result<T, CallError<E>>> {
        let answer = match &mut self.stage {
            Stage::UnderWay(call) => Some(answer(call)?),
            Stage::Ended(_) => None,
            Stage::Followed(_) | Stage::Given => return None,
        };
        match (mem::replace(&mut self.stage, Stage::Given), answer) {
            (Stage::UnderWay(call), Some(answer)) => {
                let (call, ended) = call.ended(answer);
                match call.go_on(ended) {
                    Ok(follower) => {
                        let endpoints = Arc::clone(call.at.endpoints());
                        let Call { method, terms, read, .. } = call;
                        self.stage =
                            Stage::Followed(Followed { follower, endpoints, method, deadline: terms.deadline, read });
                        None
                    }
                    Err(ended) => Some(call.end(ended, false)),
                }
            }
            (Stage::Ended(result), _) => Some(result),
            _ => None,
        }
    }

    /// The same of one that goes on.
    fn take_followed(&mut self, last: impl FnOnce(&mut Follower) -> Option<Last>) -> Option<Result<T, CallError<E>>> {
        let Stage::Followed(call) = &mut self.stage else { return None };
        let last = last(&mut call.follower)?;
        match mem::replace(&mut self.stage, Stage::Given) {
            Stage::Followed(call) => Some(call.end(Some(last))),
            _ => None,
        }
    }
}

impl<T, E> Call<T, E> {
    /// From now on the answer wakes the caller. Whether it is there already.
    fn subscribe(&mut self) -> bool {
        let is_there = self.calls().subscribe(self.xid);
        if !is_there {
            self.send();
        }
        is_there
    }

    /// The answer, if it is there, or the call's time is up.
    fn look(&mut self) -> Option<Answer> {
        let answer = self.calls().try_join(self.xid, self.terms.deadline);
        if answer.is_none() {
            self.send();
        }
        answer
    }

    /// Within the batch: who waits for one of its calls, or looks for its answer, waits no longer for the others.
    fn send(&mut self) {
        if mem::take(&mut self.held) {
            self.at.endpoints().write_now();
        }
    }

    fn calls(&self) -> &Calls {
        self.at.link().calls()
    }

    /// Its attempt has ended so.
    fn ended(mut self, answer: Answer) -> (Self, Ended) {
        let ended = tell(self.xid, answer);
        self.at.ended(&ended);
        (self, ended)
    }

    /// Lets it go on, if it is to.
    fn go_on(&self, ended: Ended) -> Result<Follower, Ended> {
        let is_idempotent = self.method.semantics() == Semantics::Idempotent;
        if !goes_on(&ended, is_idempotent) || !fibra_scheduler::in_fiber() {
            return Err(ended);
        }
        Follower::start(self.at.endpoints(), self.method.clone(), self.terms, ended)
    }

    /// Makes a result of how it has ended; of a refusal, once it is made again, if that `may_wait`.
    fn end(self, ended: Ended, may_wait: bool) -> Result<T, CallError<E>> {
        let exchange = Exchange::again(To::Remote(self.at.endpoints()), &self.method, self.terms);
        let outcome = exchange.settle(ended, may_wait);
        outcome.map_err(CallError::widen).and_then(|outcome| (self.read)(&exchange, outcome))
    }
}

impl<T, E> Followed<T, E> {
    /// Makes a result of its last end.
    fn end(self, last: Option<Last>) -> Result<T, CallError<E>> {
        let Self { follower: _, endpoints, method, deadline, read } = self;
        let (outcome, terms) = last.unwrap_or_else(|| {
            // Unreachable while a follower leaves its end once, and it is taken once.
            let terms = Terms { place: None, ticket: None, timeout: Duration::ZERO, deadline, retry: None };
            let exchange = Exchange::again(To::Remote(&endpoints), &method, terms);
            (Err(exchange.ended(Why::Lost(Disconnect::RuntimeEnded), Executed::Maybe)), terms)
        });
        let exchange = Exchange::again(To::Remote(&endpoints), &method, terms);
        outcome.map_err(CallError::widen).and_then(|outcome| read(&exchange, outcome))
    }
}

impl<T, E> Drop for Pending<T, E> {
    fn drop(&mut self) {
        if let Stage::UnderWay(call) = &self.stage {
            // Tells the server, if it is not too late.
            drop(tell(call.xid, call.calls().give_up(call.xid, Interrupted::Cancelled)));
        }
    }
}

/// `join(handle) -> result` in a `select!`.
impl<T, E> Joinable for Pending<T, E> {
    type Output = Result<T, CallError<E>>;

    fn try_join(&mut self) -> Option<Self::Output> {
        Pending::try_join(self)
    }

    fn subscribe(&mut self) -> bool {
        match &mut self.stage {
            Stage::UnderWay(call) => call.subscribe(),
            Stage::Followed(call) => call.follower.subscribe(),
            Stage::Ended(_) => true,
            Stage::Given => false,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        if let Stage::UnderWay(call) = &self.stage { call.terms.deadline } else { None }
    }

    fn interrupt(&mut self, interrupted: Interrupted) -> Option<Self::Output> {
        match &mut self.stage {
            // Who is interrupted does not let it go on.
            Stage::UnderWay(_) => match mem::replace(&mut self.stage, Stage::Given) {
                Stage::UnderWay(call) => {
                    let answer = call.calls().give_up(call.xid, interrupted);
                    let (call, ended) = call.ended(answer);
                    Some(call.end(ended, false))
                }
                _ => None,
            },
            Stage::Followed(_) => self.take_followed(|follower| follower.give_up(interrupted)),
            Stage::Ended(_) => self.take(|_| None),
            Stage::Given => None,
        }
    }
}

impl<T, E> fmt::Debug for Pending<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match &self.stage {
            Stage::UnderWay(Call { method, .. }) | Stage::Followed(Followed { method, .. }) => {
                return f.debug_tuple("Pending").field(&method.full_name()).finish();
            }
            Stage::Ended(_) => "ended",
            Stage::Given => "given",
        };
        f.debug_tuple("Pending").field(&stage).finish()
    }
}
