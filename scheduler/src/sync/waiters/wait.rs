//! A wait: from lining up to the grant, or to leaving the line.

use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::time::Instant;

use super::list::{End, Node, shared};
use super::waiter::Waiter;
use super::{Guard, Waiters};
use crate::cancel::Interrupted;
use crate::park::Reason;
use crate::sync::claim::Claim;
use crate::sync::primitive::Sleeper;

/// How long a wait may last, and what cuts it.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    deadline: Option<Instant>,
    is_cut: bool,
}

impl Limit {
    /// Until the instant; neither cancellation nor ambient deadlines cut it.
    #[inline]
    pub(crate) fn uncut(deadline: Option<Instant>) -> Self {
        Limit { deadline, is_cut: false }
    }

    /// Until the instant, cancellation or the ambient deadline.
    #[inline]
    pub(crate) fn cut(deadline: Option<Instant>) -> Self {
        Limit { deadline, is_cut: true }
    }
}

/// How a wait ended.
pub(crate) enum Outcome<'a, S, T, const LISTS: usize> {
    /// The slot, as the granter left it.
    Granted(T),
    /// The slot as it was, and the lock, under which the node was unlinked.
    Left(T, Guard<'a, S, T, LISTS>),
}

/// A wait that was cut: why, and what [`Outcome::Left`] has.
pub(crate) struct Left<'a, S, T, const LISTS: usize> {
    pub(crate) slot: T,
    pub(crate) interrupted: Interrupted,
    pub(crate) guard: Guard<'a, S, T, LISTS>,
}

impl<'a, S, T, const LISTS: usize> Guard<'a, S, T, LISTS> {
    /// Lines `sleeper` up, which is the caller, gives the lock back, and waits until granted or cut.
    ///
    /// It was [prepared](Sleeper::prepared), so that parking runs nobody's code.
    #[inline(always)]
    pub(crate) fn wait(
        self,
        sleeper: Sleeper,
        list: usize,
        end: End,
        slot: T,
        reason: &Reason,
        limit: Limit,
    ) -> Result<T, Left<'a, S, T, LISTS>> {
        let node = Node::new(Waiter::new(sleeper, self.inner.epoch, None), slot);
        // SAFETY: it ends before this frame does.
        let enlisted = unsafe { self.line_up(&node, list, end) };
        let waited = park(&node.waiter.sleeper, reason, limit.deadline, limit.is_cut);
        // However the park ended.
        if node.waiter.is_granted() {
            return Ok(enlisted.end());
        }
        enlisted.go_on(waited, reason, limit.deadline, limit.is_cut)
    }

    /// Lines up and gives the lock back; runs `during`, which waits; leaves the line unless granted.
    pub(crate) fn enlist(
        self,
        sleeper: Sleeper,
        list: usize,
        slot: T,
        claim: Option<(&Claim, usize)>,
        during: impl FnOnce(&Enlisted<'a, '_, S, T, LISTS>),
    ) -> Outcome<'a, S, T, LISTS> {
        let node = Node::new(Waiter::new(sleeper, self.inner.epoch, claim), slot);
        // SAFETY: `leave`, or its drop if `during` unwinds, ends it before this frame ends.
        let enlisted = unsafe { self.line_up(&node, list, End::Back) };
        during(&enlisted);
        enlisted.leave()
    }

    /// # Safety
    ///
    /// The node is in no line, and what is returned is ended, by [`leave`](Enlisted::leave) or by dropping it, before the node moves or
    /// ends.
    #[inline(always)]
    unsafe fn line_up<'n>(mut self, node: &'n Node<T>, list: usize, end: End) -> Enlisted<'a, 'n, S, T, LISTS> {
        // SAFETY: we hold the lock. It is unlinked when what we return ends.
        unsafe { self.inner.lists[list].link(NonNull::from(node), end) };
        Enlisted { waiters: self.waiters, list, node }
    }
}

/// One park, which may end for no reason.
#[inline(never)] // One copy, with all of the way to the switch in it. What it is given fits into registers.
fn park(sleeper: &Sleeper, reason: &Reason, deadline: Option<Instant>, is_cut: bool) -> Result<(), Interrupted> {
    sleeper.park(reason, deadline, is_cut)
}

/// A place in a line, held.
pub(crate) struct Enlisted<'a, 'n, S, T, const LISTS: usize> {
    waiters: &'a Waiters<S, T, LISTS>,
    list: usize,
    node: &'n Node<T>,
}

impl<'a, S, T, const LISTS: usize> Enlisted<'a, '_, S, T, LISTS> {
    /// Waits until granted or cut.
    pub(crate) fn park(&self, reason: &Reason, limit: Limit) -> Result<(), Interrupted> {
        let waiter = &self.node.waiter;
        while !waiter.is_granted() {
            park(&waiter.sleeper, reason, limit.deadline, limit.is_cut)?;
        }
        Ok(())
    }

    /// Goes on waiting if the last park ended for no reason, and leaves the line if it was cut.
    #[cold]
    #[inline(never)]
    fn go_on(
        self,
        mut waited: Result<(), Interrupted>,
        reason: &Reason,
        deadline: Option<Instant>,
        is_cut: bool,
    ) -> Result<T, Left<'a, S, T, LISTS>> {
        if waited.is_ok() {
            waited = self.park(reason, Limit { deadline, is_cut });
        }
        match (self.leave(), waited) {
            (Outcome::Left(slot, guard), Err(interrupted)) => Err(Left { slot, interrupted, guard }),
            (Outcome::Granted(slot) | Outcome::Left(slot, _), _) => Ok(slot),
        }
    }

    /// Leaves the line, unless granted.
    fn leave(self) -> Outcome<'a, S, T, LISTS> {
        let guard = if self.node.waiter.is_granted() { None } else { self.waiters.unlink(self.list, self.node) };
        match guard {
            None => Outcome::Granted(self.end()),
            Some(guard) => Outcome::Left(self.end(), guard),
        }
    }

    /// The slot. The node was granted or unlinked.
    #[inline(always)]
    fn end(self) -> T {
        let this = ManuallyDrop::new(self);
        // SAFETY: nobody else reaches it any more; and we do once.
        unsafe { ManuallyDrop::take(&mut shared(NonNull::from(this.node)).slot) }
    }
}

impl<S, T, const LISTS: usize> Drop for Enlisted<'_, '_, S, T, LISTS> {
    /// Only when the wait unwinds.
    #[inline]
    fn drop(&mut self) {
        drop(self.waiters.unlink(self.list, self.node));
        // SAFETY: as in `end`, which was not called.
        drop(unsafe { ManuallyDrop::take(&mut shared(NonNull::from(self.node)).slot) });
    }
}

impl<S, T, const LISTS: usize> Waiters<S, T, LISTS> {
    /// Takes the caller's node out of the line. `None`: it was granted. Otherwise the lock.
    #[cold]
    #[inline(never)]
    fn unlink(&self, list: usize, node: &Node<T>) -> Option<Guard<'_, S, T, LISTS>> {
        let mut guard = self.lock();
        // Who takes a node out of its line holds the lock until it is granted or passed over.
        if node.waiter.is_granted() {
            return None;
        }
        if node.waiter.is_linked() {
            // SAFETY: it is linked in this list, and we hold the lock.
            unsafe { guard.inner.lists[list].unlink(NonNull::from(node)) };
        }
        Some(guard)
    }
}
