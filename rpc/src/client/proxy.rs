//! What a generated proxy is made of: a channel, and how its calls are made.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use fibra_net::ToSocketAddrs;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::calls::Outcome;
use super::exchange::{Exchange, Output};
use super::hedge::Hedging;
use super::options::CallOptions;
use super::pending::{Pending, Read};
use super::retry::RetryPolicy;
use super::streaming::Streaming;
use super::{Channel, Way};
use crate::codec::{self, Value};
use crate::error::{CallError, Callee, ConnectError, Executed, Side};
use crate::metadata::Metadata;
use crate::scratch;
use crate::service::Method;
use crate::wire::failure::{Code, Pushback};

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

    /// The same, with calls that `metadata` goes with, in the place of what went with them before.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let proxy = fibra_rpc::client::Proxy::connect("127.0.0.1:7000")?;
    /// let mut metadata = fibra_rpc::Metadata::new();
    /// metadata.insert("tenant", "acme")?;
    /// let proxy = proxy.with_metadata(metadata);
    /// # let _ = proxy;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_metadata(&self, metadata: Metadata) -> Self {
        self.with(|options| options.metadata = Some(Arc::new(metadata)))
    }

    /// The same, with idempotent calls that are sent once more if they take longer than nearly all others; the first answer counts. Calls of other
    /// methods, those with streams, and those that are [started](Self::starter) and joined later, are sent once. Default: none is.
    pub fn hedge(&self, hedging: Hedging) -> Self {
        self.with(|options| options.hedging = Some(hedging))
    }

    /// The same, with calls that are made again as `policy` says, where that is [safe](super::retry). Default: the channel's, which is
    /// [`RetryPolicy::default`] unless its builder was told otherwise.
    pub fn retry(&self, policy: RetryPolicy) -> Self {
        self.with(|options| options.retry = Some(policy))
    }

    /// The connection.
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    fn with(&self, change: impl FnOnce(&mut CallOptions)) -> Self {
        Self { channel: self.channel.clone(), options: self.options.with(change) }
    }

    /// Calls a method that has no error of its own. `args` is a tuple, `(3,)` for one argument, and `()` for none.
    ///
    /// # Errors
    ///
    /// Any [`CallError`] but [`Application`](CallError::Application).
    pub fn call<A: Serialize, T: DeserializeOwned>(&self, method: &Method, args: &A) -> Result<T, CallError> {
        let exchange = Exchange::new(self.channel.to(), method, &self.options);
        read_value(&exchange, exchange.call(args, self.channel.middleware())?)
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
        let exchange = Exchange::new(self.channel.to(), method, &self.options);
        read_result(&exchange, exchange.call(args, self.channel.middleware()).map_err(CallError::widen)?)
    }

    /// Calls a method of which nothing is known but its name: at most once, and its error, if it has one, is any value. `args` is a tuple, `(3,)` for one
    /// argument, and `()` for none.
    ///
    /// ```
    /// use fibra_rpc::CallError;
    /// use fibra_rpc::client::Proxy;
    /// use fibra_rpc::codec::Value;
    ///
    /// fn show(proxy: &Proxy, method: &str) -> Result<(), CallError<Value>> {
    ///     let value: Value = proxy.call_by_name(method, &(3, 5))?;
    ///     println!("{method}(3, 5) = {value}");
    ///     Ok(())
    /// }
    /// # let _ = show;
    /// ```
    ///
    /// # Errors
    ///
    /// As [`call_fallible`](Self::call_fallible).
    pub fn call_by_name<A, T>(&self, full_name: &str, args: &A) -> Result<T, CallError<Value>>
    where
        A: Serialize,
        T: DeserializeOwned,
    {
        self.call_fallible(&Method::from(full_name), args)
    }

    /// Begins a call of a method with [streams](crate::stream) and no error of its own. `S` is what the client sends, `T` what the server
    /// does; [`Nothing`](super::Nothing) where there is no such stream.
    ///
    /// # Errors
    ///
    /// A [`CallError`] whose [`executed`](CallError::executed) is [`Executed::No`].
    pub fn stream<A: Serialize, S, T, R>(&self, method: &Method, args: &A) -> Result<Streaming<S, T, R>, CallError> {
        Streaming::begin(&self.channel, method, &self.options, args, no_error)
    }

    /// As [`stream`](Self::stream), of a method that returns a `Result<R, E>`.
    ///
    /// # Errors
    ///
    /// A [`CallError`] whose [`executed`](CallError::executed) is [`Executed::No`].
    pub fn stream_fallible<A, S, T, R, E>(
        &self,
        method: &Method,
        args: &A,
    ) -> Result<Streaming<S, T, R, E>, CallError<E>>
    where
        A: Serialize,
        E: DeserializeOwned,
    {
        Streaming::begin(&self.channel, method, &self.options, args, own_error).map_err(CallError::widen)
    }

    /// Calls a one-way method. `Ok` says that the call was queued, not that it will arrive.
    ///
    /// # Errors
    ///
    /// A [`CallError`] whose [`executed`](CallError::executed) is [`Executed::No`].
    pub fn call_one_way<A: Serialize>(&self, method: &Method, args: &A) -> Result<(), CallError> {
        Exchange::new(self.channel.to(), method, &self.options).call_one_way(args, self.channel.middleware())
    }

    /// Starts calls without waiting for their replies.
    pub fn starter(&self) -> Starter<'_> {
        Starter { proxy: self, output: Output::Sent }
    }

    /// Sends the calls that `f` starts all at once, with one write, when `f` has returned. They may go out earlier if there are more than there
    /// is room for, or if `f` waits for one or [looks](Pending::try_join) whether it has ended.
    pub fn batch<'a, R>(&'a self, f: impl FnOnce(Starter<'a>) -> R) -> R {
        /// Also when `f` panics: what has been queued may be waited for elsewhere.
        struct Send<'a>(&'a Channel);

        impl Drop for Send<'_> {
            fn drop(&mut self) {
                if let Way::Remote(endpoints) = &self.0.way {
                    endpoints.write_now();
                }
            }
        }

        let _send = Send(&self.channel);
        f(Starter { proxy: self, output: Output::Held })
    }
}

/// Starts calls of a [`Proxy`] without waiting for their replies: each returns a handle, [`Pending`].
///
/// What goes wrong at the start is the handle's result. A start waits only while there are as many calls as there may be (see
/// [`Limits`](crate::Limits)), and for a connection, if it is one-way.
#[derive(Clone, Copy, Debug)]
pub struct Starter<'a> {
    proxy: &'a Proxy,
    output: Output,
}

impl Starter<'_> {
    /// Starts a call of a method that has no error of its own.
    pub fn start<A, T>(&self, method: impl Into<Cow<'static, Method>>, args: &A) -> Pending<T>
    where
        A: Serialize,
        T: DeserializeOwned,
    {
        self.begin(method.into(), args, read_value)
    }

    /// Starts a call of a method that returns a `Result<T, E>`.
    pub fn start_fallible<A, T, E>(&self, method: impl Into<Cow<'static, Method>>, args: &A) -> Pending<T, E>
    where
        A: Serialize,
        T: DeserializeOwned,
        E: DeserializeOwned,
    {
        self.begin(method.into(), args, read_result)
    }

    /// Sends a one-way call. Its handle has the result that [`Proxy::call_one_way`] returns, at once.
    pub fn post<A: Serialize>(&self, method: &Method, args: &A) -> Pending<()> {
        Pending::ended(self.proxy.call_one_way(method, args))
    }

    fn begin<A: Serialize, T, E>(&self, method: Cow<'static, Method>, args: &A, read: Read<T, E>) -> Pending<T, E> {
        let channel = &self.proxy.channel;
        let exchange = Exchange::new(channel.to(), &method, &self.proxy.options);
        let endpoints = match &channel.way {
            Way::Remote(endpoints) if channel.middleware().is_empty() => endpoints,
            Way::Remote(_) | Way::Local(_) => {
                let outcome = exchange.call(args, channel.middleware()).map_err(CallError::widen);
                return Pending::ended(outcome.and_then(|outcome| read(&exchange, outcome)));
            }
        };
        // A handle at once: whatever may panic before it is returned, it gives the call up.
        let begin = |metadata: &Metadata| {
            let at = exchange.begin(endpoints, args, metadata, self.output).map_err(CallError::widen)?;
            Ok(Pending::under_way(method.clone(), at, self.output == Output::Held, exchange.terms(), read))
        };
        exchange.begin_traced(exchange.metadata(), begin).unwrap_or_else(|error| Pending::ended(Err(error)))
    }
}

/// The result of a method that has no error of its own.
fn read_value<T: DeserializeOwned>(exchange: &Exchange<'_>, outcome: Outcome) -> Result<T, CallError> {
    read(exchange, outcome, no_error)
}

/// The result of a method that has one.
fn read_result<T, E>(exchange: &Exchange<'_>, outcome: Outcome) -> Result<T, CallError<E>>
where
    T: DeserializeOwned,
    E: DeserializeOwned,
{
    read(exchange, outcome, own_error)
}

/// What a method's own error is to who knows of none.
fn no_error(_details: &[u8], callee: Callee) -> CallError {
    bad_reply(callee, "the method returned an error, and has none in this program".to_owned(), Executed::Yes)
}

/// A method's own error.
fn own_error<E: DeserializeOwned>(details: &[u8], callee: Callee) -> CallError<E> {
    match codec::decode(details) {
        Ok(error) => CallError::Application(error),
        Err(error) => bad_reply(callee, error.to_string(), Executed::Yes),
    }
}

/// The value of an outcome, or what its failure means here.
pub(super) fn read<T: DeserializeOwned, E>(
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
        Outcome::Failure { code, message, details, repeated, .. } => {
            Err(match exchange.failed(code, message, details, repeated) {
                Ok(details) => application(&details, exchange.callee()),
                Err(error) => error.widen(),
            })
        }
    }
}

impl Exchange<'_> {
    /// What a failure means: the details of the method's own error, or why there is none.
    pub(super) fn failed(
        &self,
        code: u8,
        message: String,
        details: Vec<u8>,
        repeated: bool,
    ) -> Result<Vec<u8>, CallError> {
        let callee = self.callee();
        let kind = Code::from_wire(code);
        let refused = |callee, message, executed| CallError::Refused { callee, message, executed };
        // Of a call that is run at most once, all copies get the one answer. Not so of an idempotent one; nor are these an answer.
        let of_this_copy = if self.in_session() {
            matches!(kind, Some(Code::OutOfWindow | Code::Conflict | Code::BadAcknowledgement))
        } else {
            matches!(
                kind,
                Some(
                    Code::UnknownMethod
                        | Code::BadArguments
                        | Code::Expired
                        | Code::Overloaded
                        | Code::Denied
                        | Code::BadMetadata
                )
            )
        };
        if repeated && of_this_copy {
            return Err(refused(callee, message, Executed::Maybe));
        }
        Err(match kind {
            Some(Code::Application) => return Ok(details),
            Some(Code::Panicked) => CallError::HandlerPanicked { callee, message },
            Some(Code::UnknownMethod) => CallError::UnknownMethod { callee, message },
            Some(Code::BadArguments) => CallError::BadArguments { callee, message },
            Some(Code::Expired) => self.timed_out(Executed::No),
            Some(Code::Overloaded) => CallError::Overloaded { callee, message, pushback: Pushback::decode(&details) },
            Some(Code::ReplyTooLarge) => CallError::TooLarge { callee, side: Side::Reply, message },
            Some(Code::ReplyUnencodable) => bad_reply(callee, message, Executed::Yes),
            Some(Code::OutOfWindow | Code::Conflict | Code::BadAcknowledgement | Code::Overtaken) => {
                refused(callee, message, Executed::No)
            }
            Some(Code::Stale | Code::SessionEnded | Code::InProgress) => refused(callee, message, Executed::Maybe),
            Some(Code::Forgotten) => refused(callee, message, Executed::Yes),
            Some(Code::Denied) => denied(callee, message, &details, Executed::No),
            Some(Code::Withheld) => denied(callee, message, &details, Executed::Yes),
            Some(Code::BadMetadata) => CallError::BadMetadata { callee, message },
            None => bad_reply(callee, format!("unknown failure code {code}: {message}"), Executed::Maybe),
        })
    }
}

/// Details that are no metadata say nothing, and change nothing about the refusal.
fn denied<E>(callee: Callee, message: String, details: &[u8], executed: Executed) -> CallError<E> {
    CallError::Denied { callee, message, details: Metadata::decode(details).unwrap_or_default(), executed }
}

pub(super) fn bad_reply<E>(callee: Callee, message: String, executed: Executed) -> CallError<E> {
    CallError::BadReply { callee, message, executed }
}
