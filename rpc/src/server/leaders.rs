//! Who leads on which worker, so that draining and shutting down reach them from anywhere.
//!
//! Invariant: after [`Leaders::close`] whoever comes to lead is cancelled at once.

use std::sync::Arc;

use fibra_net::ReadySet;
use fibra_scheduler::JoinHandle;
use parking_lot::Mutex;

use super::dispatch::Key;

/// The leaders of a server, one for each worker with connections, so that shutting down reaches them.
#[derive(Debug, Default)]
pub(super) struct Leaders {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    leaders: Vec<Arc<Leader>>,
    closed: bool,
}

/// Who leads on one worker.
#[derive(Debug)]
pub(super) struct Leader {
    set: ReadySet,
    state: Mutex<Reign>,
}

#[derive(Debug, Default)]
struct Reign {
    fiber: Option<JoinHandle<()>>,
    closed: bool,
    /// It has been asked to look, and has not been seen to have.
    asked: bool,
    /// What it saw when it last looked, until that is told.
    seen: Option<Seen>,
    /// How often what was seen before was made not to count.
    epoch: u64,
}

/// What leaders have seen who looked at their connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// How many there were. Others may still be on the roster: they have ended but for what they run and write.
    pub(super) connections: usize,
    /// How many of them had something under way.
    pub(super) busy: usize,
}

impl std::iter::Sum for Seen {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, seen| Self {
            connections: sum.connections + seen.connections,
            busy: sum.busy + seen.busy,
        })
    }
}

impl Leaders {
    pub(super) fn enter(&self, set: ReadySet) -> Arc<Leader> {
        let mut state = self.state.lock();
        let reign = Reign { closed: state.closed, ..Reign::default() };
        let leader = Arc::new(Leader { set, state: Mutex::new(reign) });
        state.leaders.push(Arc::clone(&leader));
        leader
    }

    /// Has all leaders tell their connections that the server drains. What they have seen, as of when each looked last, since it was asked; `None`: not all have looked.
    pub(super) fn look(&self) -> Option<Seen> {
        let state = self.state.lock();
        // Each is asked, whatever the others say.
        let looks: Vec<_> = state.leaders.iter().map(|leader| leader.look()).collect();
        looks.into_iter().sum()
    }

    /// Connections that have something to be acted on and wait for their turn.
    pub(super) fn in_line(&self) -> usize {
        // As long as there are any, the mark that tells how long they wait stands among them.
        self.state.lock().leaders.iter().map(|leader| leader.set.len().saturating_sub(1)).sum()
    }

    /// What was looked at before does not count any more.
    pub(super) fn forget_looks(&self) {
        for leader in &self.state.lock().leaders {
            let mut reign = leader.state.lock();
            (reign.asked, reign.seen) = (false, None);
            reign.epoch += 1;
        }
    }

    /// Forgets one that nobody is.
    pub(super) fn leave(&self, leader: &Arc<Leader>) {
        self.state.lock().leaders.retain(|other| !Arc::ptr_eq(other, leader));
    }

    /// Cancels all leaders, those to come included.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        for leader in &state.leaders {
            leader.close();
        }
    }

    /// Waits until all have ended. To be called after [`close`](Self::close).
    pub(super) fn join(&self) {
        // The lock is taken anew for each: who is waited for may be about to enter another.
        while let Some(leader) = self.last() {
            let fiber = leader.state.lock().fiber.take();
            if let Some(fiber) = fiber {
                // How it ended was told where it happened.
                let _ = fiber.join();
            } else {
                self.state.lock().leaders.retain(|other| !Arc::ptr_eq(other, &leader));
            }
        }
    }

    fn last(&self) -> Option<Arc<Leader>> {
        self.state.lock().leaders.last().cloned()
    }
}

impl Leader {
    /// What the one who leads has seen of its connections, if it began to look in that epoch and that has not passed.
    pub(super) fn has_seen(&self, seen: Seen, epoch: u64) {
        let mut reign = self.state.lock();
        if reign.epoch == epoch {
            reign.seen = Some(seen);
        }
    }

    /// Who looks at something from another epoch on is to begin again.
    pub(super) fn epoch(&self) -> u64 {
        self.state.lock().epoch
    }

    fn look(&self) -> Option<Seen> {
        let mut reign = self.state.lock();
        let seen = reign.seen.take();
        let asks = !reign.asked || seen.is_some();
        reign.asked = true;
        drop(reign);
        if asks {
            self.set.push(Key::LOOK.0);
        }
        seen
    }

    /// From now on `fiber` leads; returns who did before.
    pub(super) fn succeed(&self, fiber: JoinHandle<()>) -> Option<JoinHandle<()>> {
        let mut reign = self.state.lock();
        if reign.closed {
            fiber.cancel();
        }
        reign.fiber.replace(fiber)
    }

    fn close(&self) {
        let mut reign = self.state.lock();
        reign.closed = true;
        if let Some(fiber) = &reign.fiber {
            fiber.cancel();
        }
    }
}
