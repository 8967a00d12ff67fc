//! A grant: giving the first in line what it waits for.

use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use super::Guard;
use super::list::{Node, shared};
use super::waiter::Waiter;

/// Who is first in line, taken out of it, and the lock. To be changed, its slot above all, and then [given](Grant::give).
#[must_use = "it is to be given"]
pub(crate) struct Grant<'a, S, T, const LISTS: usize> {
    guard: ManuallyDrop<Guard<'a, S, T, LISTS>>,
    node: NonNull<Node<T>>,
    list: usize,
}

impl<'a, S, T, const LISTS: usize> Guard<'a, S, T, LISTS> {
    /// The first in the list; who belongs to a `select` that has taken another case is passed over. If there is none: the lock.
    #[inline(always)]
    pub(crate) fn next(mut self, list: usize) -> Result<Grant<'a, S, T, LISTS>, Self> {
        // SAFETY: we hold the lock, and either grant it or give it up again with nobody left in the list.
        match unsafe { self.inner.lists[list].pop_open() } {
            Some(node) => Ok(Grant { guard: ManuallyDrop::new(self), node, list }),
            None => Err(self),
        }
    }

    /// Grants everyone who waits in the list now, one by one; those who line up meanwhile are left alone.
    pub(crate) fn grant_all(mut self, list: usize, mut change: impl FnMut(&mut S, &mut T)) {
        let waiters = self.waiters;
        self.inner.epoch += 1;
        let epoch = self.inner.epoch;
        let mut guard = self;
        loop {
            // SAFETY: linked, and we hold the lock.
            let first = guard.inner.lists[list].first().map(|node| unsafe { &node.as_ref().waiter });
            if first.is_none_or(|waiter| waiter.epoch >= epoch) {
                return;
            }
            guard = match guard.next(list) {
                Ok(mut grant) => {
                    let (state, slot) = grant.parts();
                    change(state, slot);
                    grant.give();
                    waiters.lock()
                }
                Err(guard) => guard,
            }
        }
    }
}

impl<S, T, const LISTS: usize> Grant<'_, S, T, LISTS> {
    /// The state, and the slot of who is granted.
    #[inline]
    pub(crate) fn parts(&mut self) -> (&mut S, &mut T) {
        // SAFETY: unlinked by us and not granted yet.
        (&mut self.guard.inner.state, unsafe { &mut shared(self.node).slot })
    }

    /// The slot of who is granted.
    #[inline]
    pub(crate) fn slot(&mut self) -> &mut T {
        self.parts().1
    }

    /// Whether nobody else waits in its list.
    #[inline]
    pub(crate) fn is_last(&self) -> bool {
        self.guard.is_empty(self.list)
    }

    /// Grants it, gives the lock back, and wakes it.
    #[inline(always)]
    pub(crate) fn give(self) {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: once, here or in `drop`.
        unsafe { this.give_once() };
    }

    /// # Safety
    ///
    /// Called once.
    #[inline(always)]
    unsafe fn give_once(&mut self) {
        // SAFETY: taken once, as the caller says.
        let guard = unsafe { ManuallyDrop::take(&mut self.guard) };
        // SAFETY: unlinked by us and not granted yet, so it is live.
        let waiter = unsafe { &raw const (*self.node.as_ptr()).waiter };
        // SAFETY: as above.
        let sleeper = unsafe { (*waiter).sleeper.clone() };
        let release = || {
            // SAFETY: as above.
            unsafe { Waiter::grant(waiter) };
            drop(guard);
        };
        // SAFETY: it waits until it is granted.
        unsafe { sleeper.release(release) };
    }
}

impl<S, T, const LISTS: usize> Drop for Grant<'_, S, T, LISTS> {
    /// Only when a change unwinds.
    #[cold]
    fn drop(&mut self) {
        // SAFETY: not given before.
        unsafe { self.give_once() };
    }
}
