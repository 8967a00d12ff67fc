//! The error of a call.
//!
//! Invariant: [`CallError::executed`] never lies. Where this side cannot know, it says [`Executed::Maybe`].

use std::borrow::Cow;
use std::convert::Infallible;
use std::error::Error;
use std::fmt::{self, Write};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::ConnectError;
use crate::metadata::Metadata;
use crate::wire::failure::Pushback;
use crate::wire::header::Malformed;

/// Did the handler run? The question to ask before a call is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Executed {
    /// It did not and will not: repeating the call is safe.
    No,
    /// It did: repeating the call runs it again.
    Yes,
    /// It may have, or may yet: repeat the call only if running twice does no harm.
    Maybe,
}

impl Executed {
    /// What is to be said of two attempts at the same.
    pub(crate) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::Maybe, _) | (_, Self::Maybe) => Self::Maybe,
            (Self::No, Self::No) => Self::No,
        }
    }

    /// What a message says to do, after what happened.
    pub(crate) const fn advice(self) -> &'static str {
        match self {
            Self::No => "it has not run: calling again is safe",
            Self::Yes => "it has run: calling again runs it again",
            Self::Maybe => "it may have run: call again only if running twice does no harm",
        }
    }
}

/// Which method of which server a call went to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callee {
    /// The full method name, `service.method`.
    pub method: Cow<'static, str>,
    /// Who was called.
    pub peer: Peer,
}

/// Who is called.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// Another process, or another part of this one, at this address.
    Remote(SocketAddr),
    /// A service of this process, without a connection.
    Local,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remote(addr) => addr.fmt(f),
            Self::Local => f.write_str("this process"),
        }
    }
}

impl fmt::Display for Callee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let preposition = if self.peer == Peer::Local { "in" } else { "at" };
        write!(f, "{} {preposition} {}", self.method, self.peer)
    }
}

/// Which message of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The arguments.
    Request,
    /// The value.
    Reply,
}

/// Why a call has no value. `E` is the method's own error type; [`Infallible`] for a method that has none.
///
/// ```
/// use fibra_rpc::{CallError, Executed};
///
/// fn is_worth_repeating<E>(error: &CallError<E>) -> bool {
///     error.executed() == Executed::No
/// }
/// # let _ = is_worth_repeating::<std::io::Error>;
/// ```
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum CallError<E = Infallible> {
    /// The handler ran and returned its own error. Nothing is wrong with the call.
    Application(E),
    /// No reply came within the call's timeout. [`within`](crate::client::Proxy::within) sets another.
    Timeout {
        /// What was called.
        callee: Callee,
        /// The call's timeout.
        after: Duration,
        /// [`Executed::No`] if it had not been sent, or the server found that its time was up before it ran.
        executed: Executed,
    },
    /// The calling fiber was cancelled while it waited.
    Cancelled {
        /// What was called.
        callee: Callee,
        /// [`Executed::No`] if it had not been sent.
        executed: Executed,
    },
    /// The connection was lost, and either no other was to be had before the call's deadline, or the server that answers now cannot say
    /// whether the call has run. The next call connects again.
    Disconnected {
        /// What was called.
        callee: Callee,
        /// How the connection ended.
        cause: Disconnect,
        /// [`Executed::No`] if the operating system was never given the whole of the call.
        executed: Executed,
    },
    /// The handler ran and panicked: a bug in the service. Other calls are not affected.
    HandlerPanicked {
        /// What was called.
        callee: Callee,
        /// The panic's message.
        message: String,
    },
    /// The server has no such method: it serves something else, or another version. The call has not run.
    UnknownMethod {
        /// What was called.
        callee: Callee,
        /// What the server says.
        message: String,
    },
    /// The arguments could not be encoded here or decoded there: the two sides disagree about the method's types. The
    /// call has not run.
    BadArguments {
        /// What was called.
        callee: Callee,
        /// What does not fit.
        message: String,
    },
    /// The value could not be encoded there or decoded here: the two sides disagree about the method's types.
    BadReply {
        /// What was called.
        callee: Callee,
        /// What does not fit.
        message: String,
        /// [`Executed::Yes`], except for a failure that only a later version understands.
        executed: Executed,
    },
    /// A message is over the frame limit. Send less, or raise [`Limits::frame_bytes`](crate::Limits::frame_bytes).
    TooLarge {
        /// What was called.
        callee: Callee,
        /// Which message: a large request has not run, a large reply has.
        side: Side,
        /// What the side with the limit says.
        message: String,
    },
    /// The server refused this copy of the call; or it has an answer, and cannot give it any more.
    Refused {
        /// What was called.
        callee: Callee,
        /// Why.
        message: String,
        /// [`Executed::Maybe`] if another copy may have run; [`Executed::Yes`] if only the reply is gone.
        executed: Executed,
    },
    /// The server is at a limit and refused the call, which has not run. Call again later.
    Overloaded {
        /// What was called.
        callee: Callee,
        /// Which limit.
        message: String,
        /// What the server says about trying again, if it does.
        pushback: Option<Pushback>,
    },
    /// Refused by [middleware](crate::middleware), of the server or of this client.
    Denied {
        /// What was called.
        callee: Callee,
        /// Why, for people.
        message: String,
        /// Why, for programs.
        details: Metadata,
        /// [`Executed::No`], unless the middleware let the call run and then kept the answer back.
        executed: Executed,
    },
    /// The call's metadata was not understood or is too large there. The call has not run.
    BadMetadata {
        /// What was called.
        callee: Callee,
        /// What does not fit.
        message: String,
    },
}

impl<E> CallError<E> {
    /// Did the handler run?
    pub fn executed(&self) -> Executed {
        match self {
            Self::Application(_) | Self::HandlerPanicked { .. } => Executed::Yes,
            Self::UnknownMethod { .. }
            | Self::BadArguments { .. }
            | Self::Overloaded { .. }
            | Self::BadMetadata { .. } => Executed::No,
            Self::TooLarge { side: Side::Request, .. } => Executed::No,
            Self::TooLarge { side: Side::Reply, .. } => Executed::Yes,
            Self::Timeout { executed, .. }
            | Self::Cancelled { executed, .. }
            | Self::Disconnected { executed, .. }
            | Self::Refused { executed, .. }
            | Self::Denied { executed, .. }
            | Self::BadReply { executed, .. } => *executed,
        }
    }

    /// What [middleware](crate::middleware) that refused the call has to say to programs; empty for any other failure.
    ///
    /// A method's own error has its own type: [`Application`](Self::Application).
    pub fn details(&self) -> &Metadata {
        const NONE: &Metadata = &Metadata::new();
        match self {
            Self::Denied { details, .. } => details,
            _ => NONE,
        }
    }

    /// What an overloaded server says about trying again, if it does.
    pub fn pushback(&self) -> Option<Pushback> {
        match self {
            Self::Overloaded { pushback, .. } => *pushback,
            _ => None,
        }
    }

    /// Its kind's name, for logs and metrics.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Application(_) => "application",
            Self::Timeout { .. } => "timeout",
            Self::Cancelled { .. } => "cancelled",
            Self::Disconnected { .. } => "disconnected",
            Self::HandlerPanicked { .. } => "panicked",
            Self::UnknownMethod { .. } => "unknown_method",
            Self::BadArguments { .. } => "bad_arguments",
            Self::BadReply { .. } => "bad_reply",
            Self::TooLarge { .. } => "too_large",
            Self::Refused { .. } => "refused",
            Self::Overloaded { .. } => "overloaded",
            Self::Denied { .. } => "denied",
            Self::BadMetadata { .. } => "bad_metadata",
        }
    }

    /// The same error, when earlier attempts at the same may have run, or have.
    pub(crate) fn after(self, earlier: Executed) -> Self {
        if earlier == Executed::No || self.executed() != Executed::No {
            return self;
        }
        match self {
            Self::Timeout { callee, after, .. } => Self::Timeout { callee, after, executed: earlier },
            Self::Cancelled { callee, .. } => Self::Cancelled { callee, executed: earlier },
            Self::Disconnected { callee, cause, .. } => Self::Disconnected { callee, cause, executed: earlier },
            Self::Denied { callee, message, details, .. } => {
                Self::Denied { callee, message, details, executed: earlier }
            }
            Self::Refused { callee, message, .. }
            | Self::BadReply { callee, message, .. }
            | Self::UnknownMethod { callee, message }
            | Self::BadArguments { callee, message }
            | Self::TooLarge { callee, message, .. }
            | Self::Overloaded { callee, message, .. }
            | Self::BadMetadata { callee, message } => Self::Refused { callee, message, executed: earlier },
            ran @ (Self::Application(_) | Self::HandlerPanicked { .. }) => ran,
        }
    }

    /// The same error, with the handler's own error (if it is one) turned into another.
    pub fn map_application<F>(self, f: impl FnOnce(E) -> F) -> CallError<F> {
        match self {
            Self::Application(error) => CallError::Application(f(error)),
            Self::Timeout { callee, after, executed } => CallError::Timeout { callee, after, executed },
            Self::Cancelled { callee, executed } => CallError::Cancelled { callee, executed },
            Self::Disconnected { callee, cause, executed } => CallError::Disconnected { callee, cause, executed },
            Self::HandlerPanicked { callee, message } => CallError::HandlerPanicked { callee, message },
            Self::UnknownMethod { callee, message } => CallError::UnknownMethod { callee, message },
            Self::BadArguments { callee, message } => CallError::BadArguments { callee, message },
            Self::BadReply { callee, message, executed } => CallError::BadReply { callee, message, executed },
            Self::TooLarge { callee, side, message } => CallError::TooLarge { callee, side, message },
            Self::Refused { callee, message, executed } => CallError::Refused { callee, message, executed },
            Self::Overloaded { callee, message, pushback } => CallError::Overloaded { callee, message, pushback },
            Self::Denied { callee, message, details, executed } => {
                CallError::Denied { callee, message, details, executed }
            }
            Self::BadMetadata { callee, message } => CallError::BadMetadata { callee, message },
        }
    }
}

impl CallError {
    /// The same error, as of a method that has one of its own.
    ///
    /// ```
    /// # #[fibra_rpc::service(crate = fibra_rpc)]
    /// # pub trait Bank { fn rate(&self) -> u64; fn deposit(&self, cents: u64) -> Result<u64, String>; }
    /// use fibra_rpc::CallError;
    ///
    /// fn save(bank: &BankClient) -> Result<u64, CallError<String>> {
    ///     let rate = bank.rate().map_err(CallError::widen)?;
    ///     bank.deposit(100 * rate)
    /// }
    /// # let _ = save;
    /// ```
    pub fn widen<E>(self) -> CallError<E> {
        self.map_application(|never| match never {})
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let advice = self.executed().advice();
        match self {
            Self::Application(error) => error.fmt(f),
            Self::Timeout { callee, after, .. } => write!(f, "{callee}: no reply within {after:?}; {advice}"),
            Self::Cancelled { callee, .. } => {
                write!(f, "{callee}: the calling fiber was cancelled while it waited; {advice}")
            }
            Self::Disconnected { callee, cause, .. } => write!(f, "{callee}: {cause}; {advice}"),
            Self::HandlerPanicked { callee, message } => {
                write!(f, "{callee}: the handler panicked ({}): a bug in the service; {advice}", OneLine(message))
            }
            Self::UnknownMethod { callee, message } => {
                write!(f, "{callee}: {}: does it serve this service, in this version?; {advice}", OneLine(message))
            }
            Self::BadArguments { callee, message } => {
                write!(f, "{callee}: the arguments do not fit the method ({}); {advice}", OneLine(message))
            }
            Self::BadReply { callee, message, .. } => {
                write!(f, "{callee}: the reply does not fit the method ({}); {advice}", OneLine(message))
            }
            Self::TooLarge { callee, side: Side::Request, message } => {
                write!(
                    f,
                    "{callee}: the arguments are too large ({}): send less or raise the limit; {advice}",
                    OneLine(message)
                )
            }
            Self::TooLarge { callee, side: Side::Reply, message } => {
                write!(
                    f,
                    "{callee}: the reply is too large ({}): ask for less or raise the limit; {advice}",
                    OneLine(message)
                )
            }
            Self::Refused { callee, message, .. } => {
                write!(f, "{callee}: the server refused it ({}); {advice}", OneLine(message))
            }
            Self::Overloaded { callee, message, pushback } => {
                write!(f, "{callee}: refused, the server is at a limit ({}): ", OneLine(message))?;
                match pushback {
                    None => write!(f, "call again later; {advice}"),
                    Some(Pushback::After(wait)) => write!(f, "call again in {wait:?}; {advice}"),
                    Some(Pushback::Never) => write!(f, "it asks not to be called again; {advice}"),
                }
            }
            Self::Denied { callee, message, .. } => {
                write!(f, "{callee}: denied ({}); {advice}", OneLine(message))
            }
            Self::BadMetadata { callee, message } => {
                write!(f, "{callee}: its metadata is refused ({}); {advice}", OneLine(message))
            }
        }
    }
}

/// Whatever the method's own error is: also text, and values of which nothing is known. So of an [`Application`](CallError::Application) there is no
/// source.
impl<E: fmt::Debug + fmt::Display> Error for CallError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Disconnected { cause, .. } => cause.source(),
            _ => None,
        }
    }
}

/// How a connection ended.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum Disconnect {
    /// The server closed it, or its process died.
    ClosedByPeer,
    /// The server closed it and said why.
    GoAway {
        /// The kind of reason: see `docs/wire-format.md`.
        code: u8,
        /// The server's reason.
        message: String,
    },
    /// Reading or writing failed.
    Io(Arc<io::Error>),
    /// The server sent what is not the protocol: a bug there, or not a fibra server.
    Malformed(Malformed),
    /// It was lost, and there is no other to be had.
    Unreachable(Arc<ConnectError>),
    /// It was lost, and the server that answers now knows nothing of the session: it has restarted, or the session has ended.
    SessionLost,
    /// Nothing came while calls waited, and no answer to a ping: its host or process is gone, stopped or overwhelmed. See
    /// [`Keepalive`](crate::client::Keepalive).
    Silent {
        /// For so long.
        silent: Duration,
    },
    /// This side closed it, because nobody called for the channel's idle timeout.
    Idle,
    /// This side closed it: the runtime that it ran on has ended.
    RuntimeEnded,
}

impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClosedByPeer => f.write_str("the server closed the connection"),
            Self::GoAway { message, .. } => write!(f, "the server closed the connection: {}", OneLine(message)),
            Self::Io(error) => write!(f, "the connection was lost: {error}"),
            Self::Malformed(reason) => write!(f, "the server broke the protocol: {reason}"),
            Self::Unreachable(error) => write!(f, "the connection was lost: {error}"),
            Self::SessionLost => f.write_str("the connection was lost, and the server has no memory of the session"),
            Self::Silent { silent } => write!(f, "the connection was lost: nothing came for {silent:?}"),
            Self::Idle => f.write_str("the connection was closed, for nobody used it"),
            Self::RuntimeEnded => f.write_str("the connection's fibra runtime has ended: connect again"),
        }
    }
}

impl Error for Disconnect {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(error) => error.source(),
            Self::Malformed(reason) => reason.source(),
            Self::Unreachable(error) => error.source(),
            Self::ClosedByPeer
            | Self::GoAway { .. }
            | Self::SessionLost
            | Self::Silent { .. }
            | Self::Idle
            | Self::RuntimeEnded => None,
        }
    }
}

/// Text from another process, for a message of one line: without line breaks, and without what steers a terminal.
pub(crate) struct OneLine<'a>(pub(crate) &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| f.write_char(if char.is_control() { ' ' } else { char }))
    }
}
