//! Who waits for one direction of a socket.
//!
//! Nearly always that is nobody, or one fiber, or one watch, which are kept in place. A socket that is idle is little else than this, and a
//! server may have a hundred thousand of them: so whatever is more has a box, which stays once there has been a need for it.
//!
//! Invariant: a place in the queue keeps its ticket, whatever else comes and goes.

use std::mem;

use fibra_scheduler::park::Unparker;

use crate::queue::{Queue, Ticket};
use crate::ready_set::Watch;
use crate::task::Tasks;

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) enum Waiting {
    #[default]
    Nobody,
    Fiber(Ticket, Unparker),
    Watch(Watch),
    Several(Box<Several>),
}

/// Any of them at once.
#[derive(Debug, Default)]
pub(crate) struct Several {
    queue: Queue<Unparker>,
    tasks: Tasks,
    watch: Option<Watch>,
}

/// Who is to be told that the direction is ready.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) first: Option<Unparker>,
    pub(crate) tasks: Tasks,
    pub(crate) watch: Option<Watch>,
}

impl Waiting {
    pub(crate) fn is_nobody(&self) -> bool {
        match self {
            Self::Nobody => true,
            Self::Fiber(..) | Self::Watch(_) => false,
            Self::Several(several) => {
                several.queue.first().is_none() && several.tasks.is_nobody() && several.watch.is_none()
            }
        }
    }

    /// Takes out who is to be told; but a fiber stays in the queue until it leaves.
    pub(crate) fn tell(&mut self) -> Told {
        match self {
            Self::Nobody => Told::default(),
            Self::Fiber(_, first) => Told { first: Some(first.clone()), ..Told::default() },
            Self::Watch(_) => Told { watch: self.take_watch(), ..Told::default() },
            Self::Several(several) => Told {
                first: several.queue.first().cloned(),
                tasks: mem::take(&mut several.tasks),
                watch: several.watch.take(),
            },
        }
    }

    /// Joins the queue at its end.
    pub(crate) fn join(&mut self, who: Unparker) -> Ticket {
        match self {
            Self::Nobody => {
                let ticket = Ticket::default();
                *self = Self::Fiber(ticket, who);
                ticket
            }
            _ => self.with_several(|several| several.queue.push(who)),
        }
    }

    /// Leaves the queue, from whichever place. Returns whether it was the first.
    pub(crate) fn leave(&mut self, ticket: Ticket) -> bool {
        match self {
            Self::Fiber(place, _) if *place == ticket => {
                *self = Self::Nobody;
                true
            }
            Self::Several(several) => several.queue.remove(ticket),
            _ => false,
        }
    }

    pub(crate) fn is_first(&self, ticket: Ticket) -> bool {
        match self {
            Self::Fiber(place, _) => *place == ticket,
            Self::Several(several) => several.queue.is_first(ticket),
            Self::Nobody | Self::Watch(_) => false,
        }
    }

    /// The first of the queue.
    pub(crate) fn first(&self) -> Option<&Unparker> {
        match self {
            Self::Fiber(_, first) => Some(first),
            Self::Several(several) => several.queue.first(),
            Self::Nobody | Self::Watch(_) => None,
        }
    }

    /// Puts a watch in the place of the one that there may have been, which is returned.
    pub(crate) fn watch(&mut self, watch: Watch) -> Option<Watch> {
        match self {
            Self::Nobody => {
                *self = Self::Watch(watch);
                None
            }
            Self::Watch(before) => Some(mem::replace(before, watch)),
            _ => self.with_several(|several| several.watch.replace(watch)),
        }
    }

    pub(crate) fn take_watch(&mut self) -> Option<Watch> {
        match mem::take(self) {
            Self::Watch(watch) => Some(watch),
            mut other => {
                let watch = match &mut other {
                    Self::Several(several) => several.watch.take(),
                    _ => None,
                };
                *self = other;
                watch
            }
        }
    }

    /// Puts a task's waker in its place; returns the one that was there.
    #[cfg(feature = "tokio-io")]
    pub(crate) fn leave_waker(
        &mut self,
        role: crate::task::Role,
        waker: &std::task::Waker,
    ) -> Option<std::task::Waker> {
        self.with_several(|several| several.tasks.replace(role, waker))
    }

    fn with_several<R>(&mut self, f: impl FnOnce(&mut Several) -> R) -> R {
        let mut several = match mem::take(self) {
            Self::Several(several) => several,
            Self::Nobody => Box::default(),
            Self::Fiber(ticket, who) => {
                Box::new(Several { queue: Queue::beginning_with(ticket, who), ..Several::default() })
            }
            Self::Watch(watch) => Box::new(Several { watch: Some(watch), ..Several::default() }),
        };
        let result = f(&mut several);
        *self = Self::Several(several);
        result
    }
}

#[cfg(test)]
mod tests {
    use fibra_scheduler::park;

    use super::*;
    use crate::ReadySet;

    #[test]
    fn a_place_survives_the_move_to_a_box() {
        let mut waiting = Waiting::default();
        let first = waiting.join(park::current());
        assert!(matches!(waiting, Waiting::Fiber(..)));
        let second = waiting.join(park::current());
        assert!(matches!(waiting, Waiting::Several(_)));
        assert!(waiting.is_first(first) && !waiting.is_first(second) && first != second);
        assert!(waiting.leave(first));
        assert!(waiting.is_first(second) && !waiting.is_nobody());
        assert!(waiting.leave(second));
        assert!(waiting.is_nobody());
    }

    #[test]
    fn a_watch_is_told_once_and_a_fiber_until_it_leaves() {
        let set = ReadySet::new();
        let mut waiting = Waiting::default();
        assert!(waiting.watch(set.watch(1)).is_none());
        assert!(waiting.watch(set.watch(2)).is_some(), "in the place of the first");
        assert!(matches!(waiting, Waiting::Watch(_)));
        let ticket = waiting.join(park::current());
        for has_watch in [true, false] {
            let told = waiting.tell();
            assert_eq!((told.first.is_some(), told.watch.is_some()), (true, has_watch));
        }
        assert!(waiting.leave(ticket) && waiting.is_nobody());
    }
}
