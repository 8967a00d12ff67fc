//! [`Streaming`]: a call with streams, as its caller has it.
//!
//! How it begins is in `begin`; what its middleware makes of it, in `around`.

mod around;
mod begin;

use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::clock;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Channel;
use super::calls::Outcome;
use super::exchange::{Exchange, Terms, To};
use super::options::CallOptions;
use super::proxy;
use crate::codec;
use crate::error::{CallError, Callee, Executed};
use crate::metadata::Metadata;
use crate::service::Method;
use crate::stream::{self, Sender, StreamError};
use crate::wire::frame::Ending;
use around::Around;
use begin::{At, Begun, begin};

/// A call that is under way and has streams: it sends `S`, takes `T`, and ends with an `R` or the method's own error `E`.
///
/// | method | `S` | `T` |
/// |---|---|---|
/// | `fn sum(&self, numbers: Receiver<i64>) -> i64` | `i64` | [`Nothing`] |
/// | `fn watch(&self, topic: String, events: Sender<Event>)` | [`Nothing`] | `Event` |
/// | `fn chat(&self, lines: Receiver<Line>, replies: Sender<Line>)` | `Line` | `Line` |
///
/// [`send`](Self::send) waits while the server has as much as it wants to hold. What the server sends comes out of it as of an iterator,
/// which ends when the method returns. [`finish`](Self::finish) says that nothing more will be sent, and waits for the value. To send and to
/// take in two fibers, [`split`](Self::split) it.
///
/// Dropping it gives the call up: the server's handler is cancelled. So does the call's deadline, which is that of the whole call, from the
/// first item to the value: see [`within`](super::Proxy::within). The call is never repeated; a lost connection ends it.
///
/// ```no_run
/// # use fibra_rpc::client::{Nothing, Streaming};
/// # fn f(mut numbers: Streaming<i64, Nothing, i64>, events: Streaming<Nothing, String, ()>) -> Result<(), Box<dyn std::error::Error>> {
/// for number in 1..=10 {
///     numbers.send(number)?;
/// }
/// assert_eq!(numbers.finish()?, 55);
///
/// for event in events {
///     println!("{}", event?);
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping it gives the call up"]
pub struct Streaming<S, T, R, E = Infallible> {
    call: Call,
    /// Another has the sender.
    is_split: bool,
    ended: bool,
    own_error: fn(&[u8], Callee) -> CallError<E>,
    types: PhantomData<fn(S) -> (T, R)>,
}

/// In place of a type: there is no stream in this direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nothing {}

/// The same, whatever its types.
struct Call {
    begun: Begun,
    method: Method,
    terms: Terms,
    timed_out: bool,
    /// The item that is being put together.
    item: Vec<u8>,
    /// What its middleware makes of its end, if it has any.
    around: Option<Arc<Around>>,
}

impl<S, T, R, E> Streaming<S, T, R, E> {
    pub(super) fn begin<A: Serialize>(
        channel: &Channel,
        method: &Method,
        options: &CallOptions,
        args: &A,
        own_error: fn(&[u8], Callee) -> CallError<E>,
    ) -> Result<Self, CallError> {
        let exchange = Exchange::new(channel.to(), method, options);
        let args = exchange.args(args)?;
        let (begun, terms, around) = if channel.middleware().is_empty() {
            let begin = |metadata: &Metadata| begin(&exchange, &channel.way, &args, metadata);
            let begun = exchange.begin_traced(exchange.metadata(), begin)?;
            (begun, exchange.terms(), None)
        } else {
            let (begun, terms, around) = around::begin(channel, &exchange, options, args)?;
            (begun, terms, Some(around))
        };
        let call = Call { begun, method: method.clone(), terms, timed_out: false, item: Vec::new(), around };
        Ok(Self { call, is_split: false, ended: false, own_error, types: PhantomData })
    }

    /// Waits for the next item. `Ok(false)`: the method has returned.
    fn next_item(&mut self) -> Result<bool, CallError<E>> {
        let call = &mut self.call;
        let Err(error) = call.take() else { return Ok(true) };
        // Of a wait that was cut, an answer that comes just now says nothing: there may be items before it.
        let is_over = matches!(error, StreamError::CallEnded | StreamError::Disconnected);
        let ended = call.ended(is_over);
        // What a lost connection still had may have been read since: the answer, and items before it. Behind an answer none come any more.
        if let Ok(Some(_)) = ended
            && call.take().is_ok()
        {
            return Ok(true);
        }
        let error = match ended {
            Ok(Some(Ok(Outcome::Value(_)))) => return Ok(false),
            Ok(Some(Ok(failure))) => {
                let failed: Result<(), _> = proxy::read(&call.exchange(), failure, self.own_error);
                return failed.map(|()| false);
            }
            Ok(Some(Err(error))) => return Err(error.widen()),
            Ok(None) => error,
            Err(interrupted) => interrupted.into(),
        };
        let (callee, executed) = (call.exchange().callee(), call.begun.stream.executed());
        Err(match error {
            StreamError::Cancelled => CallError::Cancelled { callee, executed },
            StreamError::Disconnected => {
                let cause = begin::cause(call.begun.at.connection());
                CallError::Disconnected { callee, cause, executed }
            }
            _ => {
                // An ambient deadline cuts this wait only; what cuts the call is its own.
                if call.terms.deadline.is_some_and(|deadline| deadline <= clock::now()) {
                    call.timed_out = true;
                }
                if call.timed_out {
                    call.begun.stream.duplex().give_up(&*call.begun.carrier);
                }
                CallError::Timeout { callee, after: call.terms.timeout, executed }
            }
        })
    }
}

impl<S: Serialize, T, R, E> Streaming<S, T, R, E> {
    /// Sends an item; waits while there is no credit for it. See [`Sender::send`].
    ///
    /// # Errors
    ///
    /// Those of [`Sender::send`]. [`StreamError::CallEnded`] and [`StreamError::Stopped`] say that it is of no use to send more: what the
    /// method has answered, [`finish`](Self::finish) tells.
    pub fn send(&self, item: S) -> Result<(), StreamError> {
        stream::send(self.call.begun.stream.duplex(), &*self.call.begun.carrier, &item, self.call.terms.deadline)
    }

    /// Says that nothing more will be sent. Does not wait; [`finish`](Self::finish) says so, too.
    pub fn finish_sending(&self) {
        self.call.begun.stream.duplex().finish(&*self.call.begun.carrier, Ending::Finished);
    }

    /// Takes it apart, so that one fiber sends and another takes. Dropping what is left of it still gives the call up; dropping the sender
    /// does not, but tells the handler that there should have been more.
    pub fn split(self) -> (Sender<S>, Streaming<Nothing, T, R, E>) {
        let Self { call, ended, own_error, .. } = self;
        let sender =
            Sender::new(Arc::clone(call.begun.stream.duplex()), Arc::clone(&call.begun.carrier), call.terms.deadline);
        (sender, Streaming { call, is_split: true, ended, own_error, types: PhantomData })
    }
}

impl<S, T: DeserializeOwned, R, E> Streaming<S, T, R, E> {
    /// Takes the next item, and waits for it if need be; `None` once the method has returned, and all items have been taken.
    ///
    /// # Errors
    ///
    /// Any [`CallError`]; the method's own error as [`CallError::Application`]. If a deadline or a cancellation of the caller's has cut the
    /// wait, the call goes on.
    pub fn recv(&mut self) -> Result<Option<T>, CallError<E>> {
        if !self.next_item()? {
            return Ok(None);
        }
        let item = codec::decode(&self.call.item);
        stream::reuse(&mut self.call.item);
        item.map(Some).map_err(|error| {
            proxy::bad_reply(self.call.exchange().callee(), format!("an item: {error}"), Executed::Yes)
        })
    }
}

impl<S, T, R: DeserializeOwned, E> Streaming<S, T, R, E> {
    /// Says that nothing more will be sent, unless another has the [sender](Self::split), and waits for what the method returns. Items that
    /// come until then are dropped.
    ///
    /// # Errors
    ///
    /// Any [`CallError`]; the method's own error as [`CallError::Application`].
    pub fn finish(mut self) -> Result<R, CallError<E>> {
        if !self.is_split {
            self.call.begun.stream.duplex().finish(&*self.call.begun.carrier, Ending::Finished);
        }
        while self.next_item()? {
            stream::reuse(&mut self.call.item);
        }
        // There is an outcome, and it is a value: that is what ended the loop.
        let outcome = self.call.ended(true).ok().flatten().and_then(Result::ok);
        proxy::read(&self.call.exchange(), outcome.unwrap_or(Outcome::Value(Vec::new())), self.own_error)
    }
}

/// Ends when the method has returned, and after the first error.
impl<S, T: DeserializeOwned, R, E> Iterator for Streaming<S, T, R, E> {
    type Item = Result<T, CallError<E>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = self.recv().transpose();
        self.ended = !matches!(item, Some(Ok(_)));
        item
    }
}

impl<S, T, R, E> fmt::Debug for Streaming<S, T, R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streaming").field("method", &self.call.method.full_name()).finish_non_exhaustive()
    }
}

impl Call {
    /// Takes an item, behind what there is of it; waits for it only as long as the call is not over.
    fn take(&mut self) -> Result<(), StreamError> {
        self.begun.stream.duplex().recv(&*self.begun.carrier, &mut self.item, self.terms.deadline).map(drop)
    }

    /// What its answer is read with.
    fn exchange(&self) -> Exchange<'_> {
        let to = match &self.begun.at {
            At::Server { stay, .. } => To::Remote(stay.endpoints()),
            At::Here { local, .. } => To::Local(local),
        };
        Exchange::again(to, &self.method, self.terms)
    }

    /// How it has ended, if it `is_over`, and the server has said how. Waits for its middleware to have its say.
    fn ended(&self, is_over: bool) -> Result<Option<Result<Outcome, CallError>>, Interrupted> {
        match &self.around {
            _ if !is_over => Ok(None),
            Some(around) => around.ended().map(Some),
            None => Ok(self.begun.stream.outcome().map(Ok)),
        }
    }
}
