//! Those who wait for something: FIFO lists whose nodes lie on the waiters' own stacks, behind one small lock.
//!
//! ```text
//!   Waiters ── lock ──▶ state of the owner (a queue, a count, …)
//!                       lists: first ⇄ node ⇄ last
//!                                      └── on the stack of a parked fiber or blocked thread: slot, sleeper, granted
//! ```
//!
//! A waiter looks at the state under the lock and, if it must wait, lines up under the same lock, so no wake falls between the two.
//! Who can give it what it waits for unlinks its node, changes the *slot* (a message goes in or out, a turn is marked as handed
//! over), sets *granted* and unparks it: a fiber of its own worker at once, which is a push on a queue, others outside the lock. Waiting
//! allocates nothing.
//!
//! Invariants:
//! * A node is linked only while [`Guard::enlist`] runs, in whose frame it lies: it is unlinked before that returns or unwinds. A
//!   fiber that is leaked keeps its stack, so its nodes stay valid.
//! * The fields of a node that others touch are touched under the lock while it is linked, and by the one who unlinked it until it has
//!   set `granted`, which is its last access. From then on, or once it is seen unlinked under the lock, the node is its waiter's again.
//! * **A grant is never lost**: one that arrives together with a timeout or a cancellation wins, and the wait succeeds.
//! * Nobody's code runs under the lock, except moves of slots.

use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::time::Instant;

use super::claim::Claim;
use super::primitive::{self, AtomicBool, Mutex, MutexGuard, Ordering, Sleeper, Unparker, UnsafeCell, const_fn};
use crate::cancel::Interrupted;
use crate::park::{Reason, Wakeup};

/// A state `S` and `LISTS` lists of waiters with slots of type `T`. See the [module](self).
pub(crate) struct Waiters<S, T = (), const LISTS: usize = 1>(Mutex<Inner<S, T, LISTS>>);

struct Inner<S, T, const LISTS: usize> {
    state: S,
    lists: [List<T>; LISTS],
    /// The ticket of the next who lines up.
    next_ticket: u64,
}

struct List<T> {
    first: Option<NonNull<Node<T>>>,
    last: Option<NonNull<Node<T>>>,
}

// SAFETY: a list is reached through the lock of its `Waiters` only, and so are the nodes that it points to; what moves between
// threads through them are the slots.
unsafe impl<T: Send> Send for List<T> {}

struct Node<T> {
    granted: AtomicBool,
    /// For one of several nodes of a `select`: what arbitrates between them, and which it is. Outlives the node.
    claim: Option<(NonNull<Claim>, usize)>,
    shared: UnsafeCell<Shared<T>>,
}

/// What the lock guards.
struct Shared<T> {
    previous: Option<NonNull<Node<T>>>,
    next: Option<NonNull<Node<T>>>,
    linked: bool,
    ticket: u64,
    sleeper: Option<Sleeper>,
    slot: T,
}

/// How long a wait may last, and what cuts it.
#[derive(Clone, Copy)]
pub(crate) enum Limit {
    /// Until the instant; neither cancellation nor ambient deadlines cut it.
    Uncut(Option<Instant>),
    /// Until the instant, cancellation or the ambient deadline.
    Cut(Option<Instant>),
}

/// Which end of a list a waiter lines up at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Front,
    Back,
}

/// A waiter was granted what it waits for: to be woken, outside the lock, unless it is a fiber of this worker: that is queued already.
#[must_use = "who was granted something must be woken"]
pub(crate) struct Wake(Option<Unparker>);

impl Wake {
    #[inline]
    pub(crate) fn wake(self) {
        if let Some(unparker) = self.0 {
            unparker.unpark();
        }
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

impl<S, T, const LISTS: usize> Waiters<S, T, LISTS> {
    const_fn! {
        pub(crate) fn new(state: S) -> Self {
            let lists = [const { List { first: None, last: None } }; LISTS];
            Waiters(Mutex::new(Inner { state, lists, next_ticket: 0 }))
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

impl<'a, S, T, const LISTS: usize> Guard<'a, S, T, LISTS> {
    /// Whether nobody waits in the list.
    #[inline]
    pub(crate) fn is_empty(&self, list: usize) -> bool {
        self.inner.lists[list].first.is_none()
    }

    /// The ticket of the next who lines up: whoever waits now has a smaller one.
    pub(crate) fn next_ticket(&self) -> u64 {
        self.inner.next_ticket
    }

    /// The slot and the ticket of the first in the list.
    pub(crate) fn first(&mut self, list: usize) -> Option<(&mut T, u64)> {
        let node = self.inner.lists[list].first?;
        // SAFETY: linked, and we hold the lock, for as long as the borrow of `self` lasts.
        let shared = unsafe { shared(node) };
        Some((&mut shared.slot, shared.ticket))
    }

    /// Whether anyone waits in the list who is still to be had, other than the `select` of `claim`.
    pub(crate) fn has_other(&self, list: usize, claim: &Claim) -> bool {
        let mut next = self.inner.lists[list].first;
        while let Some(node) = next {
            // SAFETY: linked, and we hold the lock.
            let claimed_by = unsafe { node.as_ref() }.claim;
            // SAFETY: a node's claim outlives it.
            if claimed_by.is_none_or(|(by, _)| by != NonNull::from(claim) && unsafe { by.as_ref() }.is_open()) {
                return true;
            }
            // SAFETY: as above.
            next = unsafe { shared(node) }.next;
        }
        false
    }

    /// Grants the first in the list what it waits for: `change` is given the state, its slot, and whether it was the last one. Those
    /// whose `select` has taken another case are passed over.
    #[inline]
    pub(crate) fn grant<R>(
        &mut self,
        list: usize,
        change: impl FnOnce(&mut S, &mut T, bool) -> R,
    ) -> Option<(R, Wake)> {
        loop {
            let node = self.inner.lists[list].first?;
            // SAFETY: it is linked in this list, and we hold the lock.
            unsafe { self.inner.lists[list].unlink(node) };
            // SAFETY: unlinked by us and not granted yet, so its waiter stays in `enlist`.
            let claim = unsafe { node.as_ref() }.claim;
            // SAFETY: a node's claim outlives it.
            if claim.is_some_and(|(claim, case)| !unsafe { claim.as_ref() }.take(case)) {
                continue;
            }
            let last = self.is_empty(list);
            // SAFETY: as for `claim`; nobody else touches it until we have set `granted`.
            let shared = unsafe { shared(node) };
            let result = change(&mut self.inner.state, &mut shared.slot, last);
            let Some(sleeper) = shared.sleeper.take() else {
                unreachable!("only who grants takes it, and that once");
            };
            // SAFETY: its waiter waits until `granted` is set, which is our last access.
            let unparker = unsafe { sleeper.release(|| node.as_ref().granted.store(true, Ordering::Release)) };
            return Some((result, Wake(unparker)));
        }
    }

    /// Grants everyone who waits in the list now, one by one; those who line up meanwhile are left alone.
    pub(crate) fn grant_all(self, list: usize, mut change: impl FnMut(&mut S, &mut T)) {
        let (waiters, end) = (self.waiters, self.next_ticket());
        let mut guard = self;
        while guard.first(list).is_some_and(|(_, ticket)| ticket < end) {
            let granted = guard.grant(list, |state, slot, _| change(state, slot));
            drop(guard);
            if let Some(((), wake)) = granted {
                wake.wake();
            }
            guard = waiters.lock();
        }
    }

    /// Lines up, gives the lock back, and waits until granted or cut.
    ///
    /// The caller has called the [hook](primitive::call_hook), so that parking runs nobody's code.
    #[inline]
    pub(crate) fn wait(
        self,
        list: usize,
        end: End,
        slot: T,
        reason: Reason,
        limit: Limit,
    ) -> Result<T, Left<'a, S, T, LISTS>> {
        let mut waited = Ok(());
        match self.enlist(list, end, slot, None, |enlisted| waited = enlisted.park(reason, limit)) {
            Outcome::Granted(slot) => Ok(slot),
            Outcome::Left(slot, guard) => {
                let interrupted = waited.err().unwrap_or(Interrupted::TimedOut);
                Err(Left { slot, interrupted, guard })
            }
        }
    }

    /// Lines up and gives the lock back; runs `during`, which waits; leaves the line unless granted.
    #[inline]
    pub(crate) fn enlist(
        mut self,
        list: usize,
        end: End,
        slot: T,
        claim: Option<(&Claim, usize)>,
        during: impl FnOnce(&Enlisted<'a, '_, S, T, LISTS>),
    ) -> Outcome<'a, S, T, LISTS> {
        let ticket = self.inner.next_ticket;
        self.inner.next_ticket += 1;
        let node = Node {
            granted: AtomicBool::new(false),
            claim: claim.map(|(claim, case)| (NonNull::from(claim), case)),
            shared: UnsafeCell::new(Shared {
                previous: None,
                next: None,
                linked: false,
                ticket,
                sleeper: Some(Sleeper::current()),
                slot,
            }),
        };
        // SAFETY: the node is in none, and `enlisted` unlinks it, by `settle` or when dropped, before this frame ends. Nothing moves
        // it in between: `into_inner` below comes after.
        unsafe { self.inner.lists[list].link(NonNull::from(&node), end) };
        let waiters = self.waiters;
        drop(self);
        let enlisted = Enlisted { waiters, list, node: &node };
        during(&enlisted);
        match enlisted.settle() {
            None => Outcome::Granted(node.shared.into_inner().slot),
            Some(guard) => Outcome::Left(node.shared.into_inner().slot, guard),
        }
    }
}

/// A place in a line, held.
pub(crate) struct Enlisted<'a, 'n, S, T, const LISTS: usize> {
    waiters: &'a Waiters<S, T, LISTS>,
    list: usize,
    node: &'n Node<T>,
}

impl<'a, S, T, const LISTS: usize> Enlisted<'a, '_, S, T, LISTS> {
    /// Waits until granted or cut.
    #[inline]
    pub(crate) fn park(&self, reason: Reason, limit: Limit) -> Result<(), Interrupted> {
        while !self.is_granted() {
            match limit {
                Limit::Cut(deadline) => primitive::wait(reason, deadline)?,
                Limit::Uncut(deadline) => {
                    if primitive::park_until(reason, deadline) == Wakeup::TimedOut {
                        return Err(Interrupted::TimedOut);
                    }
                }
            }
        }
        Ok(())
    }

    #[inline]
    fn is_granted(&self) -> bool {
        self.node.granted.load(Ordering::Acquire)
    }

    /// `None`: granted. Otherwise the node is unlinked and this is the lock.
    #[inline]
    fn settle(self) -> Option<Guard<'a, S, T, LISTS>> {
        let this = std::mem::ManuallyDrop::new(self);
        if this.is_granted() { None } else { this.leave() }
    }

    #[cold]
    fn leave(&self) -> Option<Guard<'a, S, T, LISTS>> {
        let mut guard = self.waiters.lock();
        // A granter holds the lock from unlinking to granting, so under it the node is linked, granted, or passed over.
        if self.is_granted() {
            return None;
        }
        let node = NonNull::from(self.node);
        // SAFETY: we hold the lock.
        if unsafe { shared(node) }.linked {
            // SAFETY: it is linked in this list, and we hold the lock.
            unsafe { guard.inner.lists[self.list].unlink(node) };
        }
        Some(guard)
    }
}

impl<S, T, const LISTS: usize> Drop for Enlisted<'_, '_, S, T, LISTS> {
    /// Only when `during` unwinds.
    fn drop(&mut self) {
        drop(self.leave());
    }
}

/// What the lock guards of a node.
///
/// # Safety
///
/// The node is live, the caller has access to it as the [module](self) defines it for the lifetime `'s`, and holds no other such
/// reference to it meanwhile.
#[inline]
unsafe fn shared<'s, T>(node: NonNull<Node<T>>) -> &'s mut Shared<T> {
    // SAFETY: live and exclusive, as the caller says.
    unsafe { node.as_ref().shared.with_mut(|shared| &mut *shared) }
}

impl<T> List<T> {
    /// # Safety
    ///
    /// The caller holds the lock; `node` is live and in no list, and is unlinked before it ends or moves.
    #[inline]
    unsafe fn link(&mut self, node: NonNull<Node<T>>, end: End) {
        let (previous, next) = match end {
            End::Back => (self.last, None),
            End::Front => (None, self.first),
        };
        // SAFETY: as the caller says.
        let this = unsafe { shared(node) };
        (this.previous, this.next, this.linked) = (previous, next, true);
        self.join(previous, Some(node));
        self.join(Some(node), next);
    }

    /// # Safety
    ///
    /// The caller holds the lock; `node` is linked in this list.
    #[inline]
    unsafe fn unlink(&mut self, node: NonNull<Node<T>>) {
        // SAFETY: as the caller says.
        let this = unsafe { shared(node) };
        let (previous, next) = (this.previous.take(), this.next.take());
        this.linked = false;
        self.join(previous, next);
    }

    /// Makes two neighbours; `None` is the list's own end. Both are linked here or, for `link`, about to be.
    #[inline]
    fn join(&mut self, previous: Option<NonNull<Node<T>>>, next: Option<NonNull<Node<T>>>) {
        match previous {
            // SAFETY: nodes of this list are live, and who calls holds the lock.
            Some(node) => unsafe { shared(node) }.next = next,
            None => self.first = next,
        }
        match next {
            // SAFETY: as above.
            Some(node) => unsafe { shared(node) }.previous = previous,
            None => self.last = previous,
        }
    }
}
