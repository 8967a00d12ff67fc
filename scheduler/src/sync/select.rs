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

mod cases;
mod macros;

use std::time::{Duration, Instant};

use super::channel::Failure;
use super::claim::Claim;
use super::primitive::{self, Sleeper};
use crate::cancel::Interrupted;
use crate::clock;
use crate::park::Reason;

pub use cases::{join, recv, send};

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

/// Who takes a case. For [`Case`].
#[doc(hidden)]
pub struct Claims<'a>(&'a Claim);

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
