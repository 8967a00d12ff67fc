//! Waiting for the first of several channel operations: what [`select!`](crate::sync::select!) stands on.
//!
//! ```text
//!   look at every case, from a random one on ── one is ready ─▶ taken
//!        ▲         │ none
//!        │         ▼
//!        └── line up at every channel; there is something after all: out again
//!                  │
//!                  ▼  park until someone takes a case: first come, first served, by a `Claim`
//! ```
//!
//! To line up at several channels takes one node each; each lies in the stack frame of a nested call, so nothing is allocated.

mod macros;

use std::time::{Duration, Instant};

use super::channel::{Failure, Receiver, RecvError, SendError, Sender, oneshot};
use super::claim::Claim;
use super::primitive::{self, Sleeper};
use crate::cancel::Interrupted;
use crate::clock;
use crate::park::Reason;

/// What a select does when nothing is ready. For [`select!`](crate::sync::select!).
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Patience {
    /// Waits.
    Endless,
    /// Takes the default case.
    None,
    /// Waits that long, then takes the default case.
    For(Duration),
}

/// One operation of a select. For [`select!`](crate::sync::select!).
#[doc(hidden)]
pub trait Case {
    /// Does the operation if it needs no waiting.
    fn attempt(&mut self) -> bool;

    /// Lines up as number `case` and runs `then`; then leaves the line, or has done the operation.
    fn line_up(&mut self, claim: &Claims<'_>, case: usize, then: &mut dyn FnMut());

    /// The select was cut, and this case is the one that tells. Whether it has something to tell.
    fn interrupt(&mut self, interrupted: Interrupted) -> bool;

    /// When the operation ends by itself; `None`: not at any time that is known.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Whether the select is woken without a claim: it is then to look at its cases again.
    fn wakes_without_claim(&self) -> bool {
        false
    }
}

/// What ends once, with a result, and can be waited for in a [`select!`](crate::sync::select!): `join(handle) -> result => ..`.
///
/// Implemented by handles, such as those of remote calls.
pub trait Joinable {
    /// The result.
    type Output;

    /// The result, if it is there and has not been given before. Then it is given.
    fn try_join(&mut self) -> Option<Self::Output>;

    /// From now on the caller is [unparked](crate::park::Unparker::unpark) when the result comes; it may be unparked for nothing. Returns
    /// whether the result is there already.
    fn subscribe(&mut self) -> bool;

    /// From when on [`try_join`](Self::try_join) gives a result whatever happens, if that is known: the select looks again then.
    fn deadline(&self) -> Option<Instant>;

    /// The waiting is interrupted: the result that says so, or `None` if the result has been given before.
    fn interrupt(&mut self, interrupted: Interrupted) -> Option<Self::Output>;
}

impl<J: Joinable + ?Sized> Joinable for &mut J {
    type Output = J::Output;

    fn try_join(&mut self) -> Option<J::Output> {
        (**self).try_join()
    }

    fn subscribe(&mut self) -> bool {
        (**self).subscribe()
    }

    fn deadline(&self) -> Option<Instant> {
        (**self).deadline()
    }

    fn interrupt(&mut self, interrupted: Interrupted) -> Option<J::Output> {
        (**self).interrupt(interrupted)
    }
}

/// Who takes a case. For [`Case`].
#[doc(hidden)]
pub struct Claims<'a>(&'a Claim);

/// What messages can be received from in a select. For [`select!`](crate::sync::select!).
#[doc(hidden)]
pub trait Source {
    type Message;
    fn receiver(&self) -> &Receiver<Self::Message>;
}

/// What messages can be sent to in a select. For [`select!`](crate::sync::select!).
#[doc(hidden)]
pub trait Sink {
    type Message;
    fn sender(&self) -> &Sender<Self::Message>;
}

impl<T> Source for Receiver<T> {
    type Message = T;
    fn receiver(&self) -> &Receiver<T> {
        self
    }
}

impl<T> Source for oneshot::Receiver<T> {
    type Message = T;
    fn receiver(&self) -> &Receiver<T> {
        &self.0
    }
}

impl<S: Source + ?Sized> Source for &S {
    type Message = S::Message;
    fn receiver(&self) -> &Receiver<S::Message> {
        (**self).receiver()
    }
}

impl<T> Sink for Sender<T> {
    type Message = T;
    fn sender(&self) -> &Sender<T> {
        self
    }
}

impl<S: Sink + ?Sized> Sink for &S {
    type Message = S::Message;
    fn sender(&self) -> &Sender<S::Message> {
        (**self).sender()
    }
}

/// A receive; see [`recv`].
#[derive(Debug)]
struct Recv<'a, T> {
    receiver: &'a Receiver<T>,
    result: &'a mut Option<Result<T, RecvError>>,
}

/// A send; see [`send`].
#[derive(Debug)]
struct Send<'a, T> {
    sender: &'a Sender<T>,
    message: Option<T>,
    result: &'a mut Option<Result<(), SendError<T>>>,
}

/// The case of `recv(source)`, whose result goes to `result`. For [`select!`](crate::sync::select!).
#[doc(hidden)]
pub fn recv<'a, S: Source>(source: &'a S, result: &'a mut Option<Result<S::Message, RecvError>>) -> impl Case {
    Recv { receiver: source.receiver(), result }
}

/// The case of `send(sink, message)`, whose result goes to `result`. For [`select!`](crate::sync::select!).
#[doc(hidden)]
pub fn send<'a, S: Sink>(
    sink: &'a S,
    message: S::Message,
    result: &'a mut Option<Result<(), SendError<S::Message>>>,
) -> impl Case {
    Send { sender: sink.sender(), message: Some(message), result }
}

/// A join; see [`join`].
#[derive(Debug)]
struct Join<'a, J: Joinable> {
    handle: &'a mut J,
    result: &'a mut Option<J::Output>,
}

/// The case of `join(handle)`, whose result goes to `result`. For [`select!`](crate::sync::select!).
#[doc(hidden)]
pub fn join<'a, J: Joinable>(handle: &'a mut J, result: &'a mut Option<J::Output>) -> impl Case {
    Join { handle, result }
}

impl<J: Joinable> Case for Join<'_, J> {
    fn attempt(&mut self) -> bool {
        *self.result = self.handle.try_join();
        self.result.is_some()
    }

    fn line_up(&mut self, claim: &Claims<'_>, _: usize, then: &mut dyn FnMut()) {
        // A result is not claimed: it stays until it is taken in `attempt`, when no other case can be.
        if self.handle.subscribe() {
            claim.0.close();
        } else {
            then();
        }
    }

    fn interrupt(&mut self, interrupted: Interrupted) -> bool {
        *self.result = self.handle.interrupt(interrupted);
        self.result.is_some()
    }

    fn deadline(&self) -> Option<Instant> {
        self.handle.deadline()
    }

    fn wakes_without_claim(&self) -> bool {
        true
    }
}

impl<T> Recv<'_, T> {
    fn end(&mut self, received: Result<T, Failure>) {
        *self.result = Some(received.map_err(RecvError::from));
    }
}

impl<T> Case for Recv<'_, T> {
    fn attempt(&mut self) -> bool {
        match self.receiver.core.try_receive() {
            Err(Failure::WouldWait) => false,
            received => {
                self.end(received);
                true
            }
        }
    }

    fn line_up(&mut self, claim: &Claims<'_>, case: usize, then: &mut dyn FnMut()) {
        if let Some(received) = self.receiver.core.receive_in_select(claim.0, case, then) {
            self.end(received);
        }
    }

    fn interrupt(&mut self, interrupted: Interrupted) -> bool {
        self.end(Err(Failure::Interrupted(interrupted)));
        true
    }
}

impl<T> Send<'_, T> {
    fn end(&mut self, sent: Result<(), Failure>) {
        // The message is there unless it was sent.
        *self.result = Some(match (sent, self.message.take()) {
            (Err(failure), Some(message)) => Err((failure, message).into()),
            _ => Ok(()),
        });
    }
}

impl<T> Case for Send<'_, T> {
    fn attempt(&mut self) -> bool {
        let Some(message) = self.message.take() else { return false };
        let sent = self.sender.core.try_send(message).map_err(|(failure, message)| {
            self.message = Some(message);
            failure
        });
        if sent != Err(Failure::WouldWait) {
            self.end(sent);
        }
        self.result.is_some()
    }

    fn line_up(&mut self, claim: &Claims<'_>, case: usize, then: &mut dyn FnMut()) {
        if let Some(sent) = self.sender.core.send_in_select(&mut self.message, claim.0, case, then) {
            self.end(sent);
        }
    }

    fn interrupt(&mut self, interrupted: Interrupted) -> bool {
        self.end(Err(Failure::Interrupted(interrupted)));
        true
    }
}

/// Does one of the operations and returns its number; `None`: the default case. For [`select!`](crate::sync::select!).
#[doc(hidden)]
pub fn choose(cases: &mut [&mut dyn Case], patience: Patience) -> Option<usize> {
    let deadline = match patience {
        Patience::Endless | Patience::None => None,
        Patience::For(timeout) => clock::now().checked_add(timeout),
    };
    loop {
        let start = random_below(cases.len());
        for case in (start..cases.len()).chain(0..start) {
            if cases[case].attempt() {
                return Some(case);
            }
        }
        if matches!(patience, Patience::None) {
            return None;
        }
        Sleeper::prepared();
        let claim = Claim::new();
        let mut waited = Ok(());
        let by_itself = cases.iter().filter_map(|case| case.deadline()).min();
        let until = [deadline, by_itself].into_iter().flatten().min();
        let once = cases.iter().any(|case| case.wakes_without_claim());
        line_up(cases, 0, &claim, &mut || waited = wait(&claim, until, once));
        match (claim.close(), waited) {
            (Some(case), _) => return Some(case),
            // While lining up, one was found ready; or one that makes no claim may be.
            (None, Ok(())) => {}
            (None, Err(Interrupted::TimedOut)) if by_itself.is_some_and(|at| at <= clock::now()) => {}
            (None, Err(interrupted)) => {
                let Failure::Interrupted(interrupted) = Failure::cut(interrupted, deadline) else { return None };
                let told = cases.iter_mut().position(|case| case.interrupt(interrupted));
                assert!(told.is_some(), "every handle of this select! had given its result before");
                return told;
            }
        }
    }
}

/// Lines up at all of the cases, each within the one before it; innermost, waits.
fn line_up(cases: &mut [&mut dyn Case], number: usize, claim: &Claim, wait: &mut dyn FnMut()) {
    match cases.split_first_mut() {
        Some((case, rest)) => case.line_up(&Claims(claim), number, &mut || line_up(rest, number + 1, claim, wait)),
        None => wait(),
    }
}

/// Waits until a case is taken; or, with `once`, until there may be something to see.
fn wait(claim: &Claim, deadline: Option<Instant>, once: bool) -> Result<(), Interrupted> {
    while claim.is_open() {
        primitive::wait(Reason::Channel, deadline)?;
        if once {
            break;
        }
    }
    Ok(())
}

/// Where to begin to look, so that no case starves behind a busy one.
fn random_below(end: usize) -> usize {
    ((u64::from(primitive::random()) * end as u64) >> 32) as usize
}
