//! What a call was answered with, before it has the form of a dialect.
//!
//! Invariant: every failure answers whether the method has run, as the native protocol does.

use std::borrow::Cow;

use crate::error::{Executed, Pushback};
use crate::wire::bytes::Bytes;
use crate::wire::failure::{self, Code};
use crate::wire::frame::Frame;

/// See the [module](self).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The method's value: one MessagePack value.
    Value(Bytes),
    /// Why there is none.
    Failure(Failure),
}

/// Why a call has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The reason.
    pub code: Code,
    /// For people.
    pub message: String,
    /// One MessagePack value, or nothing: the method's own error, for [`Code::Application`].
    pub details: Bytes,
}

impl Answer {
    /// The one that is a native frame. `None`: that is no answer.
    pub fn of_frame(frame: Frame) -> Option<Self> {
        match frame {
            Frame::Reply { value, .. } => Some(Self::Value(value)),
            Frame::Failure { code, message, details, .. } => {
                let code = Code::from_wire(code)?;
                Some(Self::Failure(Failure { code, message: failure::message(&message), details }))
            }
            _ => None,
        }
    }
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl Failure {
    /// One without details.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Bytes::default() }
    }

    /// For people: never empty.
    pub fn words(&self) -> Cow<'_, str> {
        match (&self.message[..], self.code) {
            ("", Code::Application) => "the method's own error".into(),
            ("", code) => code.name().replace('_', " ").into(),
            (message, _) => message.into(),
        }
    }

    /// Did the handler run?
    pub fn executed(&self) -> Executed {
        match self.code {
            Code::Application
            | Code::Panicked
            | Code::ReplyTooLarge
            | Code::ReplyUnencodable
            | Code::Forgotten
            | Code::Withheld => Executed::Yes,
            Code::Stale | Code::SessionEnded | Code::InProgress => Executed::Maybe,
            Code::UnknownMethod
            | Code::BadArguments
            | Code::Expired
            | Code::Overloaded
            | Code::OutOfWindow
            | Code::Conflict
            | Code::BadAcknowledgement
            | Code::Denied
            | Code::BadMetadata
            | Code::Overtaken => Executed::No,
        }
    }

    /// The same as a word: `no`, `yes`, `maybe`.
    pub fn executed_word(&self) -> &'static str {
        match self.executed() {
            Executed::No => "no",
            Executed::Yes => "yes",
            Executed::Maybe => "maybe",
        }
    }

    /// What is said about calling again.
    pub fn pushback(&self) -> Option<Pushback> {
        if self.code == Code::Overloaded { Pushback::decode(&self.details) } else { None }
    }
}
