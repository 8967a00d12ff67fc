//! Those who wait for something: FIFO lists whose nodes lie on the waiters' own stacks, behind one small lock.
//!
//! ```text
//!   Waiters ── lock ──▶ state of the owner (a queue, a count, …)
//!                       lists: first ⇄ node ⇄ last
//!                                      └── on the stack of a parked fiber or blocked thread: slot, sleeper, stage
//! ```
//!
//! A waiter looks at the state under the lock and, if it must wait, lines up under the same lock ([`wait`]), so no wake falls between the
//! two. Who can give it what it waits for takes it out of the line, changes its *slot* (a message goes in or out, a turn is marked as
//! handed over), marks it as granted, and wakes it outside the lock ([`grant`]). Waiting allocates nothing.
//!
//! Invariants:
//! * A node is linked only while [`Guard::enlist`] runs, in whose frame it lies: it is unlinked before that returns or unwinds. A
//!   fiber that is leaked keeps its stack, so its nodes stay valid.
//! * The lock is held from taking a node out of its line until it is granted or passed over. So under the lock its waiter knows where
//!   it is, and from being granted or passed over on, it is its waiter's again.
//! * **A grant is never lost**: one that arrives together with a timeout or a cancellation wins, and the wait succeeds.
//! * Nobody's code runs under the lock, except moves of slots.

mod grant;
mod list;
mod wait;
mod waiter;

use std::ops::{Deref, DerefMut};

use super::claim::Claim;
use super::primitive::{Mutex, MutexGuard, const_fn};

pub(crate) use list::End;
use list::{List, shared};
pub(crate) use wait::{Left, Limit, Outcome};

/// A state `S` and `LISTS` lists of waiters with slots of type `T`. See the [module](self).
pub(crate) struct Waiters<S, T = (), const LISTS: usize = 1>(Mutex<Inner<S, T, LISTS>>);

struct Inner<S, T, const LISTS: usize> {
    state: S,
    lists: [List<T>; LISTS],
    /// Counts the times that everyone was granted: those who lined up before any one of them have a smaller one.
    epoch: u64,
}

impl<S, T, const LISTS: usize> Waiters<S, T, LISTS> {
    const_fn! {
        pub(crate) fn new(state: S) -> Self {
            Waiters(Mutex::new(Inner { state, lists: [const { List::new() }; LISTS], epoch: 0 }))
        }
    }

    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, S, T, LISTS> {
        Guard { waiters: self, inner: self.0.lock() }
    }
}

/// The lock, held. Gives access to the state by [`Deref`].
pub(crate) struct Guard<'a, S, T, const LISTS: usize> {
    waiters: &'a Waiters<S, T, LISTS>,
    inner: MutexGuard<'a, Inner<S, T, LISTS>>,
}

impl<S, T, const LISTS: usize> Deref for Guard<'_, S, T, LISTS> {
    type Target = S;

    #[inline]
    fn deref(&self) -> &S {
        &self.inner.state
    }
}

impl<S, T, const LISTS: usize> DerefMut for Guard<'_, S, T, LISTS> {
    #[inline]
    fn deref_mut(&mut self) -> &mut S {
        &mut self.inner.state
    }
}

impl<S, T, const LISTS: usize> Guard<'_, S, T, LISTS> {
    /// Whether nobody waits in the list.
    #[inline]
    pub(crate) fn is_empty(&self, list: usize) -> bool {
        self.inner.lists[list].first().is_none()
    }

    /// The slot of the first in the list.
    pub(crate) fn first(&mut self, list: usize) -> Option<&mut T> {
        // SAFETY: linked, and we hold the lock, for as long as the borrow of `self` lasts.
        self.inner.lists[list].first().map(|node| unsafe { &mut *shared(node).slot })
    }

    /// Whether anyone waits in the list who is still to be had, other than the `select` of `claim`.
    pub(crate) fn has_other(&self, list: usize, claim: &Claim) -> bool {
        // SAFETY: we hold the lock.
        unsafe { self.inner.lists[list].iter() }.any(|node| node.waiter.is_open_to(claim))
    }
}
