//! The operations that a [`select!`](crate::sync::select!) chooses from: receiving, sending, joining.

use std::time::Instant;

use super::{Case, Claims, Joinable};
use crate::cancel::Interrupted;
use crate::sync::channel::{Failure, Receiver, RecvError, SendError, Sender, oneshot};

/// What messages can be received from in a select. For [`select!`](crate::sync::select!).
#[doc(hidden)]
pub trait Source {
    type Message;
    fn receiver(&self) -> &Receiver<Self::Message>;
}

/// What messages can be sent to in a select. For [`select!`](crate::sync::select!).
#[doc(hidden)]
pub trait Sink {
    type Message;
    fn sender(&self) -> &Sender<Self::Message>;
}

impl<T> Source for Receiver<T> {
    type Message = T;
    fn receiver(&self) -> &Receiver<T> {
        self
    }
}

impl<T> Source for oneshot::Receiver<T> {
    type Message = T;
    fn receiver(&self) -> &Receiver<T> {
        &self.0
    }
}

impl<S: Source + ?Sized> Source for &S {
    type Message = S::Message;
    fn receiver(&self) -> &Receiver<S::Message> {
        (**self).receiver()
    }
}

impl<T> Sink for Sender<T> {
    type Message = T;
    fn sender(&self) -> &Sender<T> {
        self
    }
}

impl<S: Sink + ?Sized> Sink for &S {
    type Message = S::Message;
    fn sender(&self) -> &Sender<S::Message> {
        (**self).sender()
    }
}

/// A receive; see [`recv`].
#[derive(Debug)]
struct Recv<'a, T> {
    receiver: &'a Receiver<T>,
    result: &'a mut Option<Result<T, RecvError>>,
}

/// A send; see [`send`].
#[derive(Debug)]
struct Send<'a, T> {
    sender: &'a Sender<T>,
    message: Option<T>,
    result: &'a mut Option<Result<(), SendError<T>>>,
}

/// The case of `recv(source)`, whose result goes to `result`. For [`select!`](crate::sync::select!).
#[doc(hidden)]
pub fn recv<'a, S: Source>(source: &'a S, result: &'a mut Option<Result<S::Message, RecvError>>) -> impl Case {
    Recv { receiver: source.receiver(), result }
}

/// The case of `send(sink, message)`, whose result goes to `result`. For [`select!`](crate::sync::select!).
#[doc(hidden)]
pub fn send<'a, S: Sink>(
    sink: &'a S,
    message: S::Message,
    result: &'a mut Option<Result<(), SendError<S::Message>>>,
) -> impl Case {
    Send { sender: sink.sender(), message: Some(message), result }
}

/// A join; see [`join`].
#[derive(Debug)]
struct Join<'a, J: Joinable> {
    handle: &'a mut J,
    result: &'a mut Option<J::Output>,
}

/// The case of `join(handle)`, whose result goes to `result`. For [`select!`](crate::sync::select!).
#[doc(hidden)]
pub fn join<'a, J: Joinable>(handle: &'a mut J, result: &'a mut Option<J::Output>) -> impl Case {
    Join { handle, result }
}

impl<J: Joinable> Case for Join<'_, J> {
    fn attempt(&mut self) -> bool {
        *self.result = self.handle.try_join();
        self.result.is_some()
    }

    fn line_up(&mut self, claim: &Claims<'_>, _: usize, then: &mut dyn FnMut()) {
        // A result is not claimed: it stays until it is taken in `attempt`, when no other case can be.
        if self.handle.subscribe() {
            claim.0.close();
        } else {
            then();
        }
    }

    fn interrupt(&mut self, interrupted: Interrupted) -> bool {
        *self.result = self.handle.interrupt(interrupted);
        self.result.is_some()
    }

    fn deadline(&self) -> Option<Instant> {
        self.handle.deadline()
    }

    fn wakes_without_claim(&self) -> bool {
        true
    }
}

impl<T> Recv<'_, T> {
    fn end(&mut self, received: Result<T, Failure>) {
        *self.result = Some(received.map_err(RecvError::from));
    }
}

impl<T> Case for Recv<'_, T> {
    fn attempt(&mut self) -> bool {
        match self.receiver.core.try_receive() {
            Err(Failure::WouldWait) => false,
            received => {
                self.end(received);
                true
            }
        }
    }

    fn line_up(&mut self, claim: &Claims<'_>, case: usize, then: &mut dyn FnMut()) {
        if let Some(received) = self.receiver.core.receive_in_select(claim.0, case, then) {
            self.end(received);
        }
    }

    fn interrupt(&mut self, interrupted: Interrupted) -> bool {
        self.end(Err(Failure::Interrupted(interrupted)));
        true
    }
}

impl<T> Send<'_, T> {
    fn end(&mut self, sent: Result<(), Failure>) {
        // The message is there unless it was sent.
        *self.result = Some(match (sent, self.message.take()) {
            (Err(failure), Some(message)) => Err((failure, message).into()),
            _ => Ok(()),
        });
    }
}

impl<T> Case for Send<'_, T> {
    fn attempt(&mut self) -> bool {
        let Some(message) = self.message.take() else { return false };
        let sent = self.sender.core.try_send(message).map_err(|(failure, message)| {
            self.message = Some(message);
            failure
        });
        if sent != Err(Failure::WouldWait) {
            self.end(sent);
        }
        self.result.is_some()
    }

    fn line_up(&mut self, claim: &Claims<'_>, case: usize, then: &mut dyn FnMut()) {
        if let Some(sent) = self.sender.core.send_in_select(&mut self.message, claim.0, case, then) {
            self.end(sent);
        }
    }

    fn interrupt(&mut self, interrupted: Interrupted) -> bool {
        self.end(Err(Failure::Interrupted(interrupted)));
        true
    }
}
