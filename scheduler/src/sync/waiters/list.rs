//! A line: a doubly linked list whose nodes lie on the waiters' own stacks.
//!
//! Invariants:
//! * A list is touched under the lock of its [`Waiters`](super::Waiters) only, and so are the links of its nodes.
//! * A node is live and stays in its place while it is linked, and then until it is granted, if it will be.

use std::iter;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use super::waiter::Waiter;
use crate::sync::primitive::UnsafeCell;

/// Which end of a list a waiter lines up at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Front,
    Back,
}

pub(super) struct List<T> {
    first: Option<NonNull<Node<T>>>,
    last: Option<NonNull<Node<T>>>,
}

// SAFETY: a list is reached through the lock of its `Waiters` only, and so are the nodes that it points to; what moves between
// threads through them are the slots.
unsafe impl<T: Send> Send for List<T> {}

/// A waiter's place in a line.
pub(super) struct Node<T> {
    pub(super) waiter: Waiter,
    shared: UnsafeCell<Shared<T>>,
}

/// What the lock guards while the node is linked. Behind that it is for who has unlinked it, until it is granted; then for its waiter.
pub(super) struct Shared<T> {
    previous: Option<NonNull<Node<T>>>,
    next: Option<NonNull<Node<T>>>,
    /// Dropped, or taken out, by the [`Enlisted`](super::wait::Enlisted) of the node.
    pub(super) slot: ManuallyDrop<T>,
}

impl<T> Node<T> {
    #[inline]
    pub(super) fn new(waiter: Waiter, slot: T) -> Self {
        let slot = ManuallyDrop::new(slot);
        Node { waiter, shared: UnsafeCell::new(Shared { previous: None, next: None, slot }) }
    }
}

/// What the lock guards of a node.
///
/// # Safety
///
/// The node is live, the caller has access to it as [`Shared`] says for the lifetime `'s`, and holds no other such reference to it
/// meanwhile.
#[inline]
pub(super) unsafe fn shared<'s, T>(node: NonNull<Node<T>>) -> &'s mut Shared<T> {
    // SAFETY: live and exclusive, as the caller says.
    unsafe { node.as_ref().shared.with_mut(|shared| &mut *shared) }
}

impl<T> List<T> {
    pub(super) const fn new() -> Self {
        List { first: None, last: None }
    }

    #[inline]
    pub(super) fn first(&self) -> Option<NonNull<Node<T>>> {
        self.first
    }

    /// Those in the line, from the first on.
    ///
    /// # Safety
    ///
    /// The caller holds the lock, and changes nothing meanwhile.
    pub(super) unsafe fn iter<'n>(&self) -> impl Iterator<Item = &'n Node<T>>
    where
        T: 'n,
    {
        // SAFETY: linked, and under the lock.
        let nodes = iter::successors(self.first, |&node| unsafe { shared(node) }.next);
        // SAFETY: linked nodes are live.
        nodes.map(|node| unsafe { node.as_ref() })
    }

    /// # Safety
    ///
    /// The caller holds the lock; `node` is live and in no list, and is unlinked before it ends or moves.
    #[inline]
    pub(super) unsafe fn link(&mut self, node: NonNull<Node<T>>, end: End) {
        let (previous, next) = match end {
            End::Back => (self.last, None),
            End::Front => (None, self.first),
        };
        // SAFETY: as the caller says.
        let this = unsafe { shared(node) };
        (this.previous, this.next) = (previous, next);
        self.join(previous, Some(node));
        self.join(Some(node), next);
    }

    /// # Safety
    ///
    /// The caller holds the lock; `node` is linked in this list.
    pub(super) unsafe fn unlink(&mut self, node: NonNull<Node<T>>) {
        // SAFETY: as the caller says.
        let this = unsafe { shared(node) };
        let (previous, next) = (this.previous, this.next);
        self.join(previous, next);
    }

    /// Takes the first out of the line; if it belongs to a `select`, with its case. Those whose `select` has taken another case are passed
    /// over.
    ///
    /// # Safety
    ///
    /// The caller holds the lock until it has granted it.
    #[inline]
    pub(super) unsafe fn pop_open(&mut self) -> Option<NonNull<Node<T>>> {
        // SAFETY: the caller holds the lock.
        let node = unsafe { self.pop() }?;
        // SAFETY: taken out just now, under the lock, so it is live.
        match unsafe { node.as_ref() }.waiter.selects() {
            // SAFETY: as above.
            true => unsafe { self.claim(node) },
            false => Some(node),
        }
    }

    /// Takes the case of a waiter that was taken out of the line, or passes it over and takes the next.
    ///
    /// # Safety
    ///
    /// As [`pop_open`](List::pop_open).
    #[cold]
    #[inline(never)]
    unsafe fn claim(&mut self, mut node: NonNull<Node<T>>) -> Option<NonNull<Node<T>>> {
        loop {
            // SAFETY: taken out just now, under the lock: its waiter waits until it is granted or, under the lock, sees that it was
            // passed over.
            let waiter = unsafe { &node.as_ref().waiter };
            if waiter.take_case() {
                return Some(node);
            }
            waiter.pass_over();
            // SAFETY: the caller holds the lock.
            node = unsafe { self.pop() }?;
        }
    }

    /// Takes the first out of the line.
    ///
    /// # Safety
    ///
    /// The caller holds the lock.
    #[inline]
    unsafe fn pop(&mut self) -> Option<NonNull<Node<T>>> {
        let node = self.first?;
        // SAFETY: linked here, and under the lock.
        let next = unsafe { shared(node) }.next;
        self.join(None, next);
        Some(node)
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
