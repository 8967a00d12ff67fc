//! Channels for one message: a reply, a result. Sending consumes the sender and never waits.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Core, RecvError, RecvTimeoutError, SendError, TryRecvError};

/// A channel for one message.
///
/// ```
/// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
/// use fibra_scheduler::sync::channel::oneshot;
///
/// let (sender, receiver) = oneshot();
/// fibra_scheduler::spawn(move || sender.send(42));
/// assert_eq!(receiver.recv(), Ok(42));
/// # }).unwrap();
/// ```
pub fn oneshot<T>() -> (Sender<T>, Receiver<T>) {
    // The queue allocates only if the message comes before its receiver waits.
    let (sender, receiver) = super::channel(Core::new(1, VecDeque::new()));
    (Sender(sender), Receiver(receiver))
}

/// The right to send the one message. Dropped, it disconnects the receiver.
#[derive(Debug)]
pub struct Sender<T>(super::Sender<T>);

/// Where the one message arrives.
#[derive(Debug)]
pub struct Receiver<T>(pub(in crate::sync) super::Receiver<T>);

impl<T> Sender<T> {
    /// Sends the message, without waiting.
    ///
    /// # Errors
    ///
    /// [`Disconnected`](SendError::Disconnected): the receiver is gone.
    pub fn send(self, message: T) -> Result<(), SendError<T>> {
        Ok(self.0.core.try_send(message)?)
    }
}

impl<T> Receiver<T> {
    /// Takes the message, waiting for it.
    ///
    /// # Errors
    ///
    /// * [`Disconnected`](RecvError::Disconnected): the sender is gone, or the message was taken before.
    /// * [`Interrupted`](RecvError::Interrupted): the wait was cut by a cancellation or an ambient deadline.
    pub fn recv(&self) -> Result<T, RecvError> {
        self.0.recv()
    }

    /// Takes the message if it is there.
    ///
    /// # Errors
    ///
    /// * [`Empty`](TryRecvError::Empty): it may still come.
    /// * [`Disconnected`](TryRecvError::Disconnected): as [`recv`](Receiver::recv).
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.0.try_recv()
    }

    /// Takes the message, waiting for it no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// * [`Timeout`](RecvTimeoutError::Timeout): the time is up.
    /// * the others: as [`recv`](Receiver::recv).
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.0.recv_timeout(timeout)
    }
}
