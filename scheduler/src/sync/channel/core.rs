//! What the two sides of a channel share: a queue, its capacity, and those who wait on either side.
//!
//! A message goes straight into the slot of a receiver that waits; else into the queue, if there is room; else its sender waits with
//! the message in its own slot, from where a receiver moves it on. A receiver that makes room moves the first waiting sender's
//! message into the queue, so senders are served in order.
//!
//! Invariants:
//! * If a receiver waits, the queue is empty. If a sender waits, the queue is full.
//! * A receiver that is granted an empty slot, and a sender that is granted with the message still in it, were disconnected.
//! * Messages are dropped outside the lock: their destructors may do anything.

use std::collections::VecDeque;
use std::time::Instant;

use super::error::Failure;
use crate::park::Reason;
use crate::sync::claim::Claim;
use crate::sync::primitive::{AtomicUsize, Ordering, Sleeper};
use crate::sync::waiters::{End, Guard, Left, Limit, Outcome, Waiters};

/// The list of waiting receivers.
const RECEIVERS: usize = 0;
/// The list of waiting senders.
const SENDERS: usize = 1;

/// See the [module](self).
pub(crate) struct Core<T> {
    waiters: Waiters<State<T>, Option<T>, 2>,
    senders: AtomicUsize,
    receivers: AtomicUsize,
    /// `usize::MAX`: unbounded.
    capacity: usize,
}

struct State<T> {
    queue: VecDeque<T>,
    /// One side is gone.
    disconnected: bool,
}

type Locked<'a, T> = Guard<'a, State<T>, Option<T>, 2>;

impl<T> Core<T> {
    /// One sender, one receiver.
    pub(in crate::sync) fn new(capacity: usize, queue: VecDeque<T>) -> Self {
        Core {
            waiters: Waiters::new(State { queue, disconnected: false }),
            senders: AtomicUsize::new(1),
            receivers: AtomicUsize::new(1),
            capacity,
        }
    }

    /// `None`: unbounded.
    pub(in crate::sync) fn capacity(&self) -> Option<usize> {
        (self.capacity != usize::MAX).then_some(self.capacity)
    }

    pub(in crate::sync) fn len(&self) -> usize {
        self.waiters.lock().queue.len()
    }

    /// Sends at once, or fails and gives the message back, and the lock.
    #[inline]
    fn send_now(&self, message: T) -> Result<(), (Failure, T, Locked<'_, T>)> {
        let guard = self.waiters.lock();
        if guard.disconnected {
            return Err((Failure::Disconnected, message, guard));
        }
        let mut guard = match guard.next(RECEIVERS) {
            Ok(mut grant) => {
                *grant.slot() = Some(message);
                grant.give();
                return Ok(());
            }
            Err(guard) => guard,
        };
        if guard.queue.len() >= self.capacity {
            return Err((Failure::WouldWait, message, guard));
        }
        guard.queue.push_back(message);
        Ok(())
    }

    /// Receives at once, or fails and gives the lock back.
    #[inline]
    fn receive_now(&self) -> Result<T, (Failure, Locked<'_, T>)> {
        let mut guard = self.waiters.lock();
        if let Some(message) = guard.queue.pop_front() {
            if !guard.is_empty(SENDERS) {
                move_up(guard);
            }
            return Ok(message);
        }
        if guard.disconnected {
            return Err((Failure::Disconnected, guard));
        }
        // Without a queue, from hand to hand.
        match guard.next(SENDERS) {
            Ok(mut grant) => {
                let message = grant.slot().take();
                grant.give();
                message.ok_or_else(|| (Failure::Disconnected, self.waiters.lock()))
            }
            Err(guard) => Err((Failure::WouldWait, guard)),
        }
    }

    pub(in crate::sync) fn try_send(&self, message: T) -> Result<(), (Failure, T)> {
        self.send_now(message).map_err(|(failure, message, _guard)| (failure, message))
    }

    pub(in crate::sync) fn try_receive(&self) -> Result<T, Failure> {
        self.receive_now().map_err(|(failure, _guard)| failure)
    }

    #[inline]
    pub(in crate::sync) fn send<E>(&self, message: T, deadline: Option<Instant>) -> Result<(), E>
    where
        E: From<(Failure, T)>,
    {
        match self.send_now(message) {
            Ok(()) => Ok(()),
            Err((Failure::WouldWait, message, guard)) => self.wait_for_room(guard, message, deadline),
            Err((failure, message, _guard)) => Err((failure, message).into()),
        }
    }

    #[inline]
    pub(in crate::sync) fn receive<E: From<Failure>>(&self, deadline: Option<Instant>) -> Result<T, E> {
        match self.receive_now() {
            Ok(message) => Ok(message),
            Err((Failure::WouldWait, guard)) => self.wait_for_message(guard, deadline),
            Err((failure, _guard)) => Err(failure.into()),
        }
    }

    #[inline(never)] // One copy, for all who send.
    fn wait_for_room<E>(&self, guard: Locked<'_, T>, message: T, deadline: Option<Instant>) -> Result<(), E>
    where
        E: From<(Failure, T)>,
    {
        let sleeper = Sleeper::current();
        if sleeper.must_prepare() {
            return self.prepare_and_send(guard, message, deadline);
        }
        let (failure, slot) =
            match guard.wait(sleeper, SENDERS, End::Back, Some(message), &Reason::Channel, Limit::cut(deadline)) {
                Ok(slot) => (Failure::Disconnected, slot),
                Err(Left { slot, interrupted, .. }) => (Failure::cut(interrupted, deadline), slot),
            };
        // Whoever granted us either took it, or has disconnected us.
        slot.map_or(Ok(()), |message| Err((failure, message).into()))
    }

    #[cold]
    fn prepare_and_send<E>(&self, guard: Locked<'_, T>, message: T, deadline: Option<Instant>) -> Result<(), E>
    where
        E: From<(Failure, T)>,
    {
        drop(guard);
        Sleeper::prepared();
        self.send(message, deadline)
    }

    #[inline(never)] // One copy, for all who receive.
    fn wait_for_message<E: From<Failure>>(&self, guard: Locked<'_, T>, deadline: Option<Instant>) -> Result<T, E> {
        let sleeper = Sleeper::current();
        if sleeper.must_prepare() {
            return self.prepare_and_receive(guard, deadline);
        }
        match guard.wait(sleeper, RECEIVERS, End::Back, None, &Reason::Channel, Limit::cut(deadline)) {
            Ok(slot) => slot.ok_or_else(|| Failure::Disconnected.into()),
            Err(Left { interrupted, .. }) => Err(Failure::cut(interrupted, deadline).into()),
        }
    }

    #[cold]
    fn prepare_and_receive<E: From<Failure>>(&self, guard: Locked<'_, T>, deadline: Option<Instant>) -> Result<T, E> {
        drop(guard);
        Sleeper::prepared();
        self.receive(deadline)
    }

    /// Lines up as case `case` of a `select`, and runs `then`. `None`: there is no need to wait, or another case was taken; otherwise
    /// what a receive would return.
    pub(in crate::sync) fn receive_in_select(
        &self,
        claim: &Claim,
        case: usize,
        then: &mut dyn FnMut(),
    ) -> Option<Result<T, Failure>> {
        let guard = self.waiters.lock();
        if !guard.queue.is_empty() || guard.disconnected || guard.has_other(SENDERS, claim) {
            drop(guard);
            claim.close();
            return None;
        }
        match guard.enlist(Sleeper::current(), RECEIVERS, None, Some((claim, case)), |_| then()) {
            Outcome::Granted(slot) => Some(slot.ok_or(Failure::Disconnected)),
            Outcome::Left(..) => None,
        }
    }

    /// As [`receive_in_select`](Core::receive_in_select). If it is not sent, the message is put back into `message`.
    pub(in crate::sync) fn send_in_select(
        &self,
        message: &mut Option<T>,
        claim: &Claim,
        case: usize,
        then: &mut dyn FnMut(),
    ) -> Option<Result<(), Failure>> {
        let guard = self.waiters.lock();
        if guard.queue.len() < self.capacity || guard.disconnected || guard.has_other(RECEIVERS, claim) {
            drop(guard);
            claim.close();
            return None;
        }
        match guard.enlist(Sleeper::current(), SENDERS, message.take(), Some((claim, case)), |_| then()) {
            Outcome::Granted(None) => Some(Ok(())),
            Outcome::Granted(slot) => {
                *message = slot;
                Some(Err(Failure::Disconnected))
            }
            Outcome::Left(slot, _guard) => {
                *message = slot;
                None
            }
        }
    }

    pub(in crate::sync) fn add_sender(&self) {
        self.senders.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::sync) fn add_receiver(&self) {
        self.receivers.fetch_add(1, Ordering::Relaxed);
    }

    /// A sender is gone. The last one disconnects the receivers, which may still take what is in the queue.
    pub(in crate::sync) fn drop_sender(&self) {
        if self.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            let mut guard = self.waiters.lock();
            guard.disconnected = true;
            guard.grant_all(RECEIVERS, |_, _| {});
        }
    }

    /// A receiver is gone. The last one disconnects the senders, and drops what nobody will take.
    pub(in crate::sync) fn drop_receiver(&self) {
        if self.receivers.fetch_sub(1, Ordering::AcqRel) == 1 {
            let mut guard = self.waiters.lock();
            guard.disconnected = true;
            let unclaimed = std::mem::take(&mut guard.queue);
            guard.grant_all(SENDERS, |_, _| {});
            drop(unclaimed);
        }
    }
}

/// There is room in the queue for the message of the first who waits for that.
#[inline(never)] // Out of the way of those who find nobody waiting.
fn move_up<T>(guard: Locked<'_, T>) {
    if let Ok(mut grant) = guard.next(SENDERS) {
        let (state, slot) = grant.parts();
        state.queue.extend(slot.take());
        grant.give();
    }
}
