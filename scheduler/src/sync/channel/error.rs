//! Why a message was not sent or received. What was not sent comes back in the error.

use std::error::Error;
use std::fmt;
use std::time::Instant;

use crate::cancel::Interrupted;
use crate::clock;

/// Why an operation ended without success, before it is told in the words of that operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    WouldWait,
    Disconnected,
    /// The operation's own deadline has passed.
    TimedOut,
    Interrupted(Interrupted),
}

impl Failure {
    /// A wait was cut, which had a deadline of its own beside the ambient one.
    #[cold]
    pub(crate) fn cut(interrupted: Interrupted, deadline: Option<Instant>) -> Self {
        match interrupted {
            Interrupted::TimedOut if deadline.is_some_and(|own| own <= clock::now()) => Failure::TimedOut,
            interrupted => Failure::Interrupted(interrupted),
        }
    }

    /// For operations without a deadline that wait: if it timed out, it was the ambient one.
    fn interruption(self) -> Option<Interrupted> {
        match self {
            Failure::Interrupted(interrupted) => Some(interrupted),
            Failure::TimedOut => Some(Interrupted::TimedOut),
            Failure::Disconnected | Failure::WouldWait => None,
        }
    }
}

/// Declares the error of a sending operation: variants that carry the message, and one with the reason of an interruption.
macro_rules! send_error {
    (
        $(#[$attribute:meta])* $name:ident {
            $($(#[$on_variant:meta])* $variant:ident = $text:literal,)*
        } $(, $(#[$on_interrupted:meta])* $interrupted:ident)?
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name<T> {
            $($(#[$on_variant])* $variant(T),)*
            $($(#[$on_interrupted])* $interrupted(T, Interrupted),)?
        }

        impl<T> $name<T> {
            /// The message that was not sent.
            pub fn into_inner(self) -> T {
                match self {
                    $($name::$variant(message) => message,)*
                    $($name::$interrupted(message, _) => message,)?
                }
            }
        }

        impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $($name::$variant(_) => f.write_str(concat!(stringify!($variant), "(..)")),)*
                    $($name::$interrupted(_, why) => f.debug_tuple(stringify!($interrupted)).field(why).finish(),)?
                }
            }
        }

        impl<T> fmt::Display for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $($name::$variant(_) => f.write_str($text),)*
                    $($name::$interrupted(_, why) => why.fmt(f),)?
                }
            }
        }

        impl<T> Error for $name<T> {}
    };
}

/// Declares the error of a receiving operation.
macro_rules! receive_error {
    (
        $(#[$attribute:meta])* $name:ident {
            $($(#[$on_variant:meta])* $variant:ident = $text:literal,)*
        } $(, $(#[$on_interrupted:meta])* $interrupted:ident)?
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$on_variant])* $variant,)*
            $($(#[$on_interrupted])* $interrupted(Interrupted),)?
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $($name::$variant => f.write_str($text),)*
                    $($name::$interrupted(why) => why.fmt(f),)?
                }
            }
        }

        impl Error for $name {}
    };
}

send_error! {
    /// A message was not sent.
    SendError {
        /// Every receiver is gone.
        Disconnected = "every receiver of the channel is gone",
    },
    /// The wait for room was cut by a cancellation or an ambient deadline.
    Interrupted
}

send_error! {
    /// A message was not sent at once.
    TrySendError {
        /// The channel is full; or, without capacity, nobody waits for a message.
        Full = "the channel is full",
        /// Every receiver is gone.
        Disconnected = "every receiver of the channel is gone",
    }
}

send_error! {
    /// A message was not sent in time.
    SendTimeoutError {
        /// The time is up.
        Timeout = "no room in the channel in time",
        /// Every receiver is gone.
        Disconnected = "every receiver of the channel is gone",
    },
    /// The wait for room was cut by a cancellation or an ambient deadline.
    Interrupted
}

receive_error! {
    /// No message was received.
    RecvError {
        /// The channel is empty, and every sender is gone.
        Disconnected = "the channel is empty and every sender is gone",
    },
    /// The wait for a message was cut by a cancellation or an ambient deadline.
    Interrupted
}

receive_error! {
    /// No message was received at once.
    TryRecvError {
        /// The channel is empty.
        Empty = "the channel is empty",
        /// The channel is empty, and every sender is gone.
        Disconnected = "the channel is empty and every sender is gone",
    }
}

receive_error! {
    /// No message was received in time.
    RecvTimeoutError {
        /// The time is up.
        Timeout = "no message in time",
        /// The channel is empty, and every sender is gone.
        Disconnected = "the channel is empty and every sender is gone",
    },
    /// The wait for a message was cut by a cancellation or an ambient deadline.
    Interrupted
}

impl<T> From<(Failure, T)> for SendError<T> {
    fn from((failure, message): (Failure, T)) -> Self {
        match failure.interruption() {
            Some(interrupted) => SendError::Interrupted(message, interrupted),
            None => SendError::Disconnected(message),
        }
    }
}

impl<T> From<(Failure, T)> for TrySendError<T> {
    fn from((failure, message): (Failure, T)) -> Self {
        match failure {
            Failure::Disconnected => TrySendError::Disconnected(message),
            _ => TrySendError::Full(message),
        }
    }
}

impl<T> From<(Failure, T)> for SendTimeoutError<T> {
    fn from((failure, message): (Failure, T)) -> Self {
        match failure {
            Failure::Interrupted(interrupted) => SendTimeoutError::Interrupted(message, interrupted),
            Failure::Disconnected => SendTimeoutError::Disconnected(message),
            Failure::TimedOut | Failure::WouldWait => SendTimeoutError::Timeout(message),
        }
    }
}

impl From<Failure> for RecvError {
    fn from(failure: Failure) -> Self {
        failure.interruption().map_or(RecvError::Disconnected, RecvError::Interrupted)
    }
}

impl From<Failure> for TryRecvError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Disconnected => TryRecvError::Disconnected,
            _ => TryRecvError::Empty,
        }
    }
}

impl From<Failure> for RecvTimeoutError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Interrupted(interrupted) => RecvTimeoutError::Interrupted(interrupted),
            Failure::Disconnected => RecvTimeoutError::Disconnected,
            Failure::TimedOut | Failure::WouldWait => RecvTimeoutError::Timeout,
        }
    }
}
