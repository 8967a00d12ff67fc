//! What a generated proxy is made of: a channel, and how its calls are made.

use std::convert::Infallible;
use std::time::Duration;

use fibra_net::ToSocketAddrs;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Channel;
use super::calls::Outcome;
use super::exchange::Exchange;
use super::options::CallOptions;
use crate::codec;
use crate::error::{CallError, Callee, ConnectError, Executed, Side};
use crate::scratch;
use crate::service::Method;
use crate::wire::failure::Code;

/// A channel, and the options of calls. Cheap to clone; its clones share the connection.
///
/// A generated proxy has one inside and a method for each of the trait's. Use it directly to call a method that no trait
/// of this program describes.
#[derive(Clone, Debug)]
pub struct Proxy {
    channel: Channel,
    options: CallOptions,
}

impl Proxy {
    /// A proxy over a channel, whose calls wait for [`CALL_TIMEOUT`](crate::limits::CALL_TIMEOUT).
    pub fn new(channel: Channel) -> Self {
        Self { channel, options: CallOptions::DEFAULT }
    }

    /// Connects, and makes a proxy over the new channel.
    ///
    /// # Errors
    ///
    /// Those of [`Channel::connect`].
    pub fn connect(addr: impl ToSocketAddrs) -> Result<Self, ConnectError> {
        Channel::connect(addr).map(Self::new)
    }

    /// The same, with calls that wait for up to `timeout`; at most [`CALL_TIMEOUT_MAX`](crate::limits::CALL_TIMEOUT_MAX).
    pub fn within(&self, timeout: Duration) -> Self {
        self.with(|options| options.timeout = timeout)
    }

    /// The connection.
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    fn with(&self, change: impl FnOnce(&mut CallOptions)) -> Self {
        Self { channel: self.channel.clone(), options: self.options.with(change) }
    }

    /// Calls a method that has no error of its own. `args` is a tuple, or `[(); 0]` for none.
    ///
    /// # Errors
    ///
    /// Any [`CallError`] but [`Application`](CallError::Application).
    pub fn call<A: Serialize, T: DeserializeOwned>(&self, method: &Method, args: &A) -> Result<T, CallError> {
        let exchange = Exchange::new(self.channel.link(), method, &self.options);
        let outcome = exchange.call(args)?;
        read(&exchange, outcome, |_details, callee| {
            bad_reply(callee, "the method returned an error, and has none in this program".to_owned(), Executed::Yes)
        })
    }

    /// Calls a method that returns a `Result<T, E>`.
    ///
    /// # Errors
    ///
    /// Any [`CallError`]; the method's own error as [`CallError::Application`].
    pub fn call_fallible<A, T, E>(&self, method: &Method, args: &A) -> Result<T, CallError<E>>
    where
        A: Serialize,
        T: DeserializeOwned,
        E: DeserializeOwned,
    {
        let exchange = Exchange::new(self.channel.link(), method, &self.options);
        let outcome = exchange.call(args).map_err(widen)?;
        read(&exchange, outcome, |details, callee| match codec::decode(details) {
            Ok(error) => CallError::Application(error),
            Err(error) => bad_reply(callee, error.to_string(), Executed::Yes),
        })
    }

    /// Calls a one-way method. `Ok` says that the call was queued, not that it will arrive.
    ///
    /// # Errors
    ///
    /// A [`CallError`] whose [`executed`](CallError::executed) is [`Executed::No`].
    pub fn call_one_way<A: Serialize>(&self, method: &Method, args: &A) -> Result<(), CallError> {
        Exchange::new(self.channel.link(), method, &self.options).call_one_way(args)
    }
}

/// The value of an outcome, or what its failure means here.
fn read<T: DeserializeOwned, E>(
    exchange: &Exchange<'_>,
    outcome: Outcome,
    application: impl FnOnce(&[u8], Callee) -> CallError<E>,
) -> Result<T, CallError<E>> {
    match outcome {
        Outcome::Value(body) => {
            let value =
                codec::decode(&body).map_err(|error| bad_reply(exchange.callee(), error.to_string(), Executed::Yes));
            scratch::give(body);
            value
        }
        Outcome::Failure { code, message, details, repeated } => {
            let callee = exchange.callee();
            let kind = Code::from_wire(code);
            // Of a call that is run at most once, all copies get the one answer. Not so of an idempotent one; nor are these an answer.
            let of_this_copy = if exchange.in_session() {
                matches!(kind, Some(Code::OutOfWindow | Code::Conflict | Code::BadAcknowledgement))
            } else {
                matches!(kind, Some(Code::UnknownMethod | Code::BadArguments | Code::Expired | Code::Overloaded))
            };
            if repeated && of_this_copy {
                return Err(CallError::Refused { callee, message, executed: Executed::Maybe });
            }
            let refused = |callee, message, executed| CallError::Refused { callee, message, executed };
            Err(match kind {
                Some(Code::Application) => application(&details, callee),
                Some(Code::Panicked) => CallError::HandlerPanicked { callee, message },
                Some(Code::UnknownMethod) => CallError::UnknownMethod { callee, message },
                Some(Code::BadArguments) => CallError::BadArguments { callee, message },
                Some(Code::Expired) => widen(exchange.timed_out(Executed::No)),
                Some(Code::Overloaded) => CallError::Overloaded { callee, message },
                Some(Code::ReplyTooLarge) => CallError::TooLarge { callee, side: Side::Reply, message },
                Some(Code::ReplyUnencodable) => bad_reply(callee, message, Executed::Yes),
                Some(Code::OutOfWindow | Code::Conflict | Code::BadAcknowledgement) => {
                    refused(callee, message, Executed::No)
                }
                Some(Code::Stale | Code::SessionEnded | Code::InProgress) => refused(callee, message, Executed::Maybe),
                Some(Code::Forgotten) => refused(callee, message, Executed::Yes),
                None => bad_reply(callee, format!("unknown failure code {code}: {message}"), Executed::Maybe),
            })
        }
    }
}

fn bad_reply<E>(callee: Callee, message: String, executed: Executed) -> CallError<E> {
    CallError::BadReply { callee, message, executed }
}

fn widen<E>(error: CallError<Infallible>) -> CallError<E> {
    error.map_application(|never| match never {})
}
