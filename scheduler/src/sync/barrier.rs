//! [`Barrier`]: several meet, and go on together.

use std::fmt;

use super::primitive::{Sleeper, const_fn};
use super::waiters::{End, Left, Limit, Waiters};
use crate::cancel::Interrupted;
use crate::park::Reason;

/// A meeting point for a number of fibers or threads, as [`std::sync::Barrier`] is. It may be used again and again.
///
/// ```
/// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
/// use std::sync::Arc;
/// use fibra_scheduler::sync::Barrier;
///
/// let barrier = Arc::new(Barrier::new(3));
/// let copies = [barrier.clone(), barrier];
/// let fibers = copies.map(|barrier| fibra_scheduler::spawn(move || barrier.wait()));
/// # let barrier = Arc::new(Barrier::new(1));
/// # fibers.iter().for_each(|fiber| fiber.cancel());
/// # assert!(barrier.wait().unwrap().is_leader());
/// # }).unwrap();
/// ```
///
/// **Cancellation and ambient deadlines cut the wait**: who is cut no longer counts as arrived, so the others go on waiting for as many as
/// before.
pub struct Barrier {
    parties: usize,
    waiters: Waiters<State>,
}

struct State {
    arrived: usize,
    /// How often the barrier has opened.
    round: u64,
}

/// What [`Barrier::wait`] returns; tells one of them from the others.
#[derive(Clone, Copy, Debug)]
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// Whether this is the one for whom the others waited: exactly one in each round.
    pub fn is_leader(&self) -> bool {
        self.0
    }
}

impl Barrier {
    const_fn! {
        /// A barrier for `parties`. 0 is as good as 1: nobody waits.
        pub fn new(parties: usize) -> Self {
            Barrier { parties, waiters: Waiters::new(State { arrived: 0, round: 0 }) }
        }
    }

    /// Waits for the others.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](Interrupted::Cancelled), or [`TimedOut`](Interrupted::TimedOut) by an ambient deadline.
    pub fn wait(&self) -> Result<BarrierWaitResult, Interrupted> {
        let sleeper = Sleeper::prepared();
        let mut guard = self.waiters.lock();
        guard.arrived += 1;
        if guard.arrived >= self.parties {
            guard.arrived = 0;
            guard.round += 1;
            guard.grant_all(0, |_, ()| {});
            return Ok(BarrierWaitResult(true));
        }
        let round = guard.round;
        match guard.wait(sleeper, 0, End::Back, (), &Reason::Barrier, Limit::cut(None)) {
            Ok(()) => Ok(BarrierWaitResult(false)),
            // It has opened, and we left the line before our turn to be woken came.
            Err(Left { guard, .. }) if guard.round != round => Ok(BarrierWaitResult(false)),
            Err(Left { interrupted, mut guard, .. }) => {
                guard.arrived -= 1;
                Err(interrupted)
            }
        }
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier").field("parties", &self.parties).finish_non_exhaustive()
    }
}
