//! Channels: queues of messages between fibers and threads, with the names and semantics of crossbeam-channel.
//!
//! | made by | holds | a send waits |
//! |---|---|---|
//! | [`bounded(n)`](bounded) | n messages | while it is full |
//! | [`bounded(0)`](bounded) | none: *rendezvous* | for a receiver |
//! | [`unbounded()`] | any number | never |
//! | [`oneshot()`] | one, ever | never |
//!
//! ```
//! # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
//! use fibra_scheduler::sync::channel;
//!
//! let (sender, receiver) = channel::bounded(2);
//! fibra_scheduler::spawn(move || {
//!     for n in 1..=4 {
//!         sender.send(n).expect("the receiver is there");
//!     }
//! });
//! assert_eq!(receiver.iter().sum::<i32>(), 10); // Ends when the last sender is gone.
//! # }).unwrap();
//! ```
//!
//! Messages arrive in the order in which they were sent, each at one receiver. Those who wait are served first come, first served. When
//! the last sender is gone, receivers take what is left and are then *disconnected*; when the last receiver is gone, senders are
//! disconnected at once, and what is left is dropped.
//!
//! [`select!`](super::select!) waits on several channels.
//!
//! **Cancellation and ambient deadlines cut the waits**, with an error that says so and carries the message that was not sent. An
//! operation that need not wait succeeds even so. A message that was handed over in the same instant counts: it is received.
//!
//! # Differences from crossbeam-channel
//!
//! Errors have a variant `Interrupted`. There are no `after`, `tick` and `never`: a select has `default(timeout)`.

mod core;
mod error;
mod iter;
pub mod oneshot;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(in crate::sync) use self::core::Core;
pub(super) use self::error::Failure;
pub use error::{RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError};
pub use iter::{IntoIter, Iter, TryIter};
pub use oneshot::oneshot;

use crate::clock;

/// A channel that holds up to `capacity` messages, for which it allocates now. With 0, each send waits for its receiver.
///
/// ```
/// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
/// use fibra_scheduler::sync::channel::{TrySendError, bounded};
///
/// let (sender, receiver) = bounded(1);
/// sender.send("first").unwrap();
/// assert_eq!(sender.try_send("second"), Err(TrySendError::Full("second")));
/// assert_eq!(receiver.recv(), Ok("first"));
/// # }).unwrap();
/// ```
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    // The largest number means unbounded.
    let capacity = capacity.min(usize::MAX - 1);
    channel(Core::new(capacity, VecDeque::with_capacity(capacity)))
}

/// A channel that holds any number of messages; sends never wait. What bounds it must come from elsewhere.
///
/// ```
/// use fibra_scheduler::sync::channel::unbounded;
///
/// let (sender, receiver) = unbounded();
/// (0..100).for_each(|n| sender.send(n).unwrap());
/// assert_eq!(receiver.len(), 100);
/// ```
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    channel(Core::new(usize::MAX, VecDeque::new()))
}

fn channel<T>(core: Core<T>) -> (Sender<T>, Receiver<T>) {
    let core = Arc::new(core);
    (Sender { core: core.clone() }, Receiver { core })
}

/// The sending side of a channel. Clones send into the same one.
pub struct Sender<T> {
    pub(super) core: Arc<Core<T>>,
}

/// The receiving side of a channel. Clones compete for the messages: each goes to one of them.
pub struct Receiver<T> {
    pub(super) core: Arc<Core<T>>,
}

impl<T> Sender<T> {
    /// Sends a message, waiting while there is no room.
    ///
    /// # Errors
    ///
    /// * [`Disconnected`](SendError::Disconnected): every receiver is gone.
    /// * [`Interrupted`](SendError::Interrupted): the wait was cut by a cancellation or an ambient deadline.
    #[inline]
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        self.core.send(message, None)
    }

    /// Sends a message if that needs no waiting.
    ///
    /// # Errors
    ///
    /// * [`Full`](TrySendError::Full): there is no room; of a channel without capacity: no receiver waits.
    /// * [`Disconnected`](TrySendError::Disconnected): every receiver is gone.
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        Ok(self.core.try_send(message)?)
    }

    /// Sends a message, waiting for room no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// * [`Timeout`](SendTimeoutError::Timeout): the time is up.
    /// * [`Disconnected`](SendTimeoutError::Disconnected), [`Interrupted`](SendTimeoutError::Interrupted): as [`send`](Sender::send).
    pub fn send_timeout(&self, message: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        // A timeout beyond what an instant can hold is none.
        self.core.send(message, clock::now().checked_add(timeout))
    }

    /// As [`send_timeout`](Sender::send_timeout), with an instant.
    ///
    /// # Errors
    ///
    /// As [`send_timeout`](Sender::send_timeout).
    pub fn send_deadline(&self, message: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        self.core.send(message, Some(deadline))
    }
}

impl<T> Receiver<T> {
    /// Takes the next message, waiting until there is one.
    ///
    /// # Errors
    ///
    /// * [`Disconnected`](RecvError::Disconnected): nothing is left, and every sender is gone.
    /// * [`Interrupted`](RecvError::Interrupted): the wait was cut by a cancellation or an ambient deadline.
    #[inline]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.core.receive(None)
    }

    /// Takes the next message if there is one.
    ///
    /// # Errors
    ///
    /// * [`Empty`](TryRecvError::Empty): there is none now.
    /// * [`Disconnected`](TryRecvError::Disconnected): nothing is left, and every sender is gone.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        Ok(self.core.try_receive()?)
    }

    /// Takes the next message, waiting for it no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// * [`Timeout`](RecvTimeoutError::Timeout): the time is up.
    /// * [`Disconnected`](RecvTimeoutError::Disconnected), [`Interrupted`](RecvTimeoutError::Interrupted): as [`recv`](Receiver::recv).
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.core.receive(clock::now().checked_add(timeout))
    }

    /// As [`recv_timeout`](Receiver::recv_timeout), with an instant.
    ///
    /// # Errors
    ///
    /// As [`recv_timeout`](Receiver::recv_timeout).
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.core.receive(Some(deadline))
    }

    /// The messages as they come, until the senders are gone. Also ends when a wait is cut: see
    /// [`cancel::check`](crate::cancel::check).
    pub fn iter(&self) -> Iter<'_, T> {
        Iter::new(self)
    }

    /// The messages that are there, without waiting.
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter::new(self)
    }
}

/// What both sides have alike.
macro_rules! side {
    ($side:ident, $add:ident, $drop:ident) => {
        impl<T> $side<T> {
            /// How many messages are in the channel: in its queue, not in the hands of senders that wait.
            pub fn len(&self) -> usize {
                self.core.len()
            }

            /// Whether no message is in the channel.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Whether a send would wait, if no receiver does. A channel without capacity is always full.
            pub fn is_full(&self) -> bool {
                self.capacity().is_some_and(|capacity| self.len() >= capacity)
            }

            /// How many messages the channel holds; `None`: any number.
            pub fn capacity(&self) -> Option<usize> {
                self.core.capacity()
            }

            /// Whether both belong to the same channel.
            pub fn same_channel(&self, other: &Self) -> bool {
                Arc::ptr_eq(&self.core, &other.core)
            }
        }

        impl<T> Clone for $side<T> {
            fn clone(&self) -> Self {
                self.core.$add();
                $side { core: self.core.clone() }
            }
        }

        impl<T> Drop for $side<T> {
            fn drop(&mut self) {
                self.core.$drop();
            }
        }

        impl<T> fmt::Debug for $side<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($side)).field("capacity", &self.capacity()).finish_non_exhaustive()
            }
        }
    };
}
side!(Sender, add_sender, drop_sender);
side!(Receiver, add_receiver, drop_receiver);
