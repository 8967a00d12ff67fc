//! Calls and answers, in whichever form.

use fibra_scheduler::cancel::Interrupted;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{Protocol, json, msgpack};
use crate::codec::{self, Value};
use crate::error::{Disconnect, Executed};

/// A call whose arguments are encoded.
#[derive(Debug)]
pub(super) struct Call<'a> {
    protocol: Protocol,
    method: &'a str,
    /// An array or an object.
    params: Vec<u8>,
}

/// Why a call was not even sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotSent {
    BadArguments(String),
    TooLarge(String),
}

/// Why a call has no answer.
#[derive(Clone, Debug)]
pub(super) enum Ended {
    Interrupted(Interrupted, Executed),
    Lost(Disconnect, Executed),
    Refused(String, Executed),
    /// The answer was over the limit.
    TooLarge(String),
    /// What came is no answer.
    NoAnswer(String),
}

/// What came for a call.
#[derive(Debug)]
pub(super) enum Answer {
    Value(Body),
    Error(Body),
}

/// A value, not looked at yet.
#[derive(Debug)]
pub(super) enum Body {
    Json(Box<RawValue>),
    MessagePack(Vec<u8>),
    /// There was none.
    Nothing,
}

/// What comes from a server.
#[derive(Debug)]
pub(super) enum Incoming {
    Answer(u32, Answer),
    /// A call of the server's, and what it is to be told.
    Request(Vec<u8>),
    /// What is for nobody: a notification, or an answer to what was not asked.
    Other,
}

impl<'a> Call<'a> {
    /// Encodes the arguments.
    pub(super) fn encode<A: Serialize>(
        protocol: Protocol,
        method: &'a str,
        args: &A,
        bytes_max: usize,
    ) -> Result<Self, NotSent> {
        let params = match protocol {
            Protocol::MessagePackRpc => msgpack::params(args, bytes_max),
            _ => json::params(args),
        }?;
        // Method and head are part of the message.
        if params.len().saturating_add(method.len()) > bytes_max {
            return Err(NotSent::TooLarge(format!("over the limit of {bytes_max} bytes")));
        }
        Ok(Self { protocol, method, params })
    }

    /// The message that asks for an answer under that id, or for none.
    pub(super) fn message(&self, id: Option<u32>) -> Vec<u8> {
        match self.protocol {
            Protocol::MessagePackRpc => msgpack::call(id, self.method, &self.params),
            protocol => json::framed(protocol, json::call(id, self.method, &self.params)),
        }
    }
}

impl Body {
    /// As a value of that type.
    ///
    /// # Errors
    ///
    /// Why it is none, for people.
    pub(super) fn decode<T: DeserializeOwned>(&self) -> Result<T, String> {
        match self {
            Self::Json(text) => json::decode(text.get()),
            Self::MessagePack(bytes) => codec::decode(bytes).map_err(|error| error.to_string()),
            Self::Nothing => json::decode("null"),
        }
    }

    /// As any value; what cannot be read is told as text.
    pub(super) fn value(&self) -> Value {
        self.decode().unwrap_or_else(Value::from)
    }
}
