//! [`Streaming`]: a call with streams, as its caller has it.

use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use fibra_scheduler::clock;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::calls::Outcome;
use super::chosen::Stay;
use super::connection::Connection;
use super::endpoint::Endpoints;
use super::exchange::{Exchange, Terms, To};
use super::local;
use super::options::CallOptions;
use super::proxy;
use super::streams::Stream;
use super::{Channel, Way};
use crate::codec;
use crate::error::{CallError, Callee, Disconnect, Executed};
use crate::limits::{Limits, STREAM_CREDIT_INITIAL};
use crate::metadata::Metadata;
use crate::outbox::Outbox;
use crate::server::Local;
use crate::service::Method;
use crate::stream::{self, Carrier, Sender, Share, StreamError};
use crate::wire::frame::Ending;

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
    stream: Arc<Stream>,
    carrier: Arc<dyn Carrier>,
    at: At,
    method: Method,
    terms: Terms,
    timed_out: bool,
    /// The item that is being put together.
    item: Vec<u8>,
}

/// Where it goes.
enum At {
    Server {
        stay: Stay,
        connection: Arc<Connection>,
        /// Held for its window.
        _share: Share,
    },
    Here {
        local: Arc<Local>,
        _share: Share,
    },
}

/// A call that has begun.
type Begun = (At, Arc<Stream>, Arc<dyn Carrier>);

impl<S, T, R, E> Streaming<S, T, R, E> {
    pub(super) fn begin<A: Serialize>(
        channel: &Channel,
        method: &Method,
        options: &CallOptions,
        args: &A,
        own_error: fn(&[u8], Callee) -> CallError<E>,
    ) -> Result<Self, CallError> {
        let exchange = Exchange::new(channel.to(), method, options);
        let (at, stream, carrier) = exchange.begin_traced(|metadata| match &channel.way {
            Way::Remote(endpoints) => open(&exchange, endpoints, args, metadata),
            Way::Local(local) => open_here(&exchange, local, args, metadata),
        })?;
        let (method, terms) = (method.clone(), exchange.terms());
        let call = Call { stream, carrier, at, method, terms, timed_out: false, item: Vec::new() };
        Ok(Self { call, is_split: false, ended: false, own_error, types: PhantomData })
    }

    /// Waits for the next item. `Ok(false)`: the method has returned.
    fn next_item(&mut self) -> Result<bool, CallError<E>> {
        let call = &mut self.call;
        let received = call.stream.duplex().recv(&*call.carrier, &mut call.item, call.terms.deadline);
        let Err(error) = received else { return Ok(true) };
        // Of a wait that was cut, an answer that comes just now says nothing: there may be items before it.
        let is_over = matches!(error, StreamError::CallEnded | StreamError::Disconnected);
        match call.stream.outcome().filter(|_| is_over) {
            Some(Outcome::Value(_)) => return Ok(false),
            Some(failure) => {
                let failed: Result<(), _> = proxy::read(&call.exchange(), failure, self.own_error);
                return failed.map(|()| false);
            }
            None => {}
        }
        let (callee, executed) = (call.exchange().callee(), call.stream.executed());
        Err(match error {
            StreamError::Cancelled => CallError::Cancelled { callee, executed },
            StreamError::Disconnected => {
                let cause = call.at.cause().unwrap_or(Disconnect::ClosedByPeer);
                CallError::Disconnected { callee, cause, executed }
            }
            _ => {
                // An ambient deadline cuts this wait only; what cuts the call is its own.
                if call.terms.deadline.is_some_and(|deadline| deadline <= clock::now()) {
                    call.timed_out = true;
                }
                if call.timed_out {
                    call.stream.duplex().give_up(&*call.carrier);
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
        stream::send(self.call.stream.duplex(), &*self.call.carrier, &item, self.call.terms.deadline)
    }

    /// Says that nothing more will be sent. Does not wait; [`finish`](Self::finish) says so, too.
    pub fn finish_sending(&self) {
        self.call.stream.duplex().finish(&*self.call.carrier, Ending::Finished);
    }

    /// Takes it apart, so that one fiber sends and another takes. Dropping what is left of it still gives the call up; dropping the sender
    /// does not, but tells the handler that there should have been more.
    pub fn split(self) -> (Sender<S>, Streaming<Nothing, T, R, E>) {
        let Self { call, ended, own_error, .. } = self;
        let sender = Sender::new(Arc::clone(call.stream.duplex()), Arc::clone(&call.carrier), call.terms.deadline);
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
            self.call.stream.duplex().finish(&*self.call.carrier, Ending::Finished);
        }
        while self.next_item()? {
            stream::reuse(&mut self.call.item);
        }
        // There is an outcome, and it is a value: that is what ended the loop.
        let outcome = self.call.stream.outcome().unwrap_or(Outcome::Value(Vec::new()));
        proxy::read(&self.call.exchange(), outcome, self.own_error)
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
    /// What its answer is read with.
    fn exchange(&self) -> Exchange<'_> {
        let to = match &self.at {
            At::Server { stay, .. } => To::Remote(stay.endpoints()),
            At::Here { local, .. } => To::Local(local),
        };
        Exchange::again(to, &self.method, self.terms)
    }
}

impl At {
    /// Why nothing more comes from there, if that is so.
    fn cause(&self) -> Option<Disconnect> {
        match self {
            Self::Server { connection, .. } => connection.cause(),
            Self::Here { .. } => Some(Disconnect::RuntimeEnded),
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.stream.duplex().give_up(&*self.carrier);
        let At::Server { stay, connection, .. } = &mut self.at else { return };
        stay.link().calls().closed(connection, &self.stream);
        let is_lost = || connection.cause().is_some();
        let success = self.stream.is_refused().map(|is_refused| !is_refused).or_else(|| is_lost().then_some(false));
        stay.fared(success);
    }
}

/// Sends the call to a server, with what its window may have there. One that takes no calls any more is left for another: it has not got this one.
fn open<A: Serialize>(
    exchange: &Exchange<'_>,
    endpoints: &Arc<Endpoints>,
    args: &A,
    metadata: &Metadata,
) -> Result<Begun, CallError> {
    let wanted = wanted(exchange, &endpoints.common().settings.limits);
    loop {
        let chosen = exchange.choose(endpoints)?;
        let share = chosen.take_stream_bytes(wanted);
        if let Some((stream, connection)) = exchange.open(&chosen, args, metadata, INITIAL + share.bytes())? {
            let carrier = ClientCarrier { connection: Arc::clone(&connection), _open: Arc::clone(endpoints) };
            let at = At::Server { stay: chosen.stay(endpoints), connection, _share: share };
            return Ok((at, stream, Arc::new(carrier)));
        }
    }
}

/// Has the call run in this process.
fn open_here<A: Serialize>(
    exchange: &Exchange<'_>,
    local: &Arc<Local>,
    args: &A,
    metadata: &Metadata,
) -> Result<Begun, CallError> {
    let callee = || exchange.callee();
    if !fibra_scheduler::in_fiber() {
        let message = "it streams, which takes a fiber for its handler: here is no runtime".to_owned();
        return Err(CallError::Refused { callee: callee(), message, executed: Executed::No });
    }
    let share = local.caller_shares().take(wanted(exchange, local.limits()), local.limits().stream_bytes);
    let window = INITIAL + share.bytes();
    let frame = exchange.opening(args, metadata, window)?;
    let opened = local::stream::open(local, frame, exchange.method().streams(), window, exchange.deadline());
    let (stream, carrier) = opened.map_err(|error| {
        let message = format!("its handler has no fiber: {error}");
        CallError::Overloaded { callee: callee(), message, pushback: None }
    })?;
    Ok((At::Here { local: Arc::clone(local), _share: share }, stream, carrier))
}

const INITIAL: usize = STREAM_CREDIT_INITIAL as usize;

/// What the caller's window is to have beyond [`INITIAL`].
fn wanted(exchange: &Exchange<'_>, limits: &Limits) -> usize {
    if exchange.method().streams().server() { limits.stream_window - INITIAL } else { 0 }
}

/// How the frames of a client's streams are written: by the connection's writer fiber. Keeps that open.
struct ClientCarrier {
    connection: Arc<Connection>,
    _open: Arc<Endpoints>,
}

impl Carrier for ClientCarrier {
    fn outbox(&self) -> &Outbox {
        self.connection.outbox()
    }

    fn write_soon(&self, _queued_bytes: usize) {
        self.connection.outbox().wake_writer();
    }
}
