//! One call, as a service sees it: the arguments that came, and where the answer goes.
//!
//! Invariants:
//! * [`Args`] let go of the input buffer when they are decoded, before the handler runs: a handler that parks holds no
//!   part of its connection's input.
//! * A [`Reply`] becomes exactly one frame, whatever happens to the value on the way; none if the call is one-way.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::CallStreams;
use crate::codec::{self, DecodeError, EncodeError};
use crate::scratch;
use crate::stream::{Receiver, Sender};
use crate::wire::bytes::Bytes;
use crate::wire::encode::{self, Body};
use crate::wire::failure::Code;

/// The arguments of a call, not yet looked at. In two words, which travel in registers.
#[derive(Debug)]
pub struct Args<'a> {
    body: &'a mut Bytes,
    beside: &'a mut Beside,
}

/// What there is beside the bytes of [`Args`].
#[derive(Debug, Default)]
pub struct Beside {
    /// A panic at any other time is one of the handler, which has then run.
    pub(crate) is_decoding: bool,
    pub(crate) streams: Option<CallStreams>,
}

impl<'a> Args<'a> {
    /// Arguments that came some way or other.
    #[inline]
    pub fn new(body: &'a mut Bytes, beside: &'a mut Beside) -> Self {
        Self { body, beside }
    }

    /// The items that the client sends, if the call has such a stream and they have not been asked for before.
    ///
    /// # Errors
    ///
    /// [`Rejected::Arguments`] if not.
    pub fn receiver<T: DeserializeOwned>(&mut self) -> Result<Receiver<T>, Rejected> {
        let receiver = self.beside.streams.as_mut().and_then(|streams| streams.receiver());
        receiver.ok_or_else(|| Rejected::Arguments("the call has no stream of the client's".to_owned()))
    }

    /// Where items for the client go, if the call has such a stream and it has not been asked for before.
    ///
    /// # Errors
    ///
    /// [`Rejected::Arguments`] if not.
    pub fn sender<T: Serialize>(&mut self) -> Result<Sender<T>, Rejected> {
        let sender = self.beside.streams.as_mut().and_then(|streams| streams.sender());
        sender.ok_or_else(|| Rejected::Arguments("the call has no stream of the server's".to_owned()))
    }

    /// Decodes the arguments: a tuple of `count`, or `[(); 0]` for none.
    ///
    /// # Errors
    ///
    /// [`Rejected::Arguments`] if they are malformed, nest too deep, or are others than `T`.
    #[inline]
    pub fn decode<T: DeserializeOwned>(self, count: usize) -> Result<T, Rejected> {
        self.decode_by(|body| codec::decode_args(body, count))
    }

    /// Decodes the arguments, however many they are: the elements of a `T`, such as a `Vec`.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    pub fn decode_all<T: DeserializeOwned>(self) -> Result<T, Rejected> {
        self.decode_by(codec::decode_all_args)
    }

    #[inline]
    fn decode_by<T>(self, decode: impl FnOnce(&[u8]) -> Result<T, DecodeError>) -> Result<T, Rejected> {
        self.beside.is_decoding = true;
        let args = decode(self.body).map_err(Rejected::from);
        self.beside.is_decoding = false;
        args
    }
}

impl Drop for Args<'_> {
    #[inline]
    fn drop(&mut self) {
        *self.body = Bytes::default();
    }
}

/// Why a call was turned away before its method ran.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// The service has no method of that number.
    Method,
    /// The arguments are not the method's; the text says why.
    Arguments(String),
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method => f.write_str("the service has no such method"),
            Self::Arguments(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Rejected {}

impl From<DecodeError> for Rejected {
    #[cold]
    fn from(error: DecodeError) -> Self {
        Self::Arguments(error.0)
    }
}

/// Where the answer to a call goes.
#[derive(Debug)]
pub struct Reply<'a> {
    out: &'a mut Vec<u8>,
    xid: u64,
    one_way: bool,
    frame_bytes_max: usize,
}

/// Proof that a call was answered.
#[derive(Debug)]
#[must_use = "dispatch returns it"]
pub struct Answer(pub(crate) Answered);

/// What a call was answered with.
#[derive(Debug)]
pub(crate) enum Answered {
    Value,
    Application,
    /// It has run, but what it returned cannot travel, and so this went out.
    Unsent(Box<(Code, String)>),
}

impl<'a> Reply<'a> {
    /// A reply that is appended to `out` as a frame, and is no longer than that; none, if the call is one-way.
    #[inline]
    pub fn new(out: &'a mut Vec<u8>, xid: u64, one_way: bool, frame_bytes_max: usize) -> Self {
        Self { out, xid, one_way, frame_bytes_max }
    }

    /// Answers with the method's value.
    #[inline]
    pub fn value<T: Serialize + ?Sized>(mut self, value: &T) -> Answer {
        if !self.one_way {
            self.ready();
            let mut body = encode::reply(self.out, self.xid, self.frame_bytes_max);
            let encoded = codec::encode(&mut body, value);
            let finished = encoded.and_then(|()| body.finish().map_err(|_| EncodeError::TooLarge));
            if let Err(error) = finished {
                return self.unsent(&error);
            }
        }
        Answer(Answered::Value)
    }

    /// Answers with the method's value, or with its own error.
    pub fn result<T: Serialize, E: Serialize>(mut self, result: &Result<T, E>) -> Answer {
        match result {
            Ok(value) => return self.value(value),
            Err(_) if self.one_way => {}
            Err(error) => {
                self.ready();
                let mut body = encode::failure(self.out, self.xid, Code::Application, "", self.frame_bytes_max);
                let encoded = codec::encode(&mut body, error);
                let finished = encoded.and_then(|()| body.finish().map_err(|_| EncodeError::TooLarge));
                if let Err(error) = finished {
                    return self.unsent(&error);
                }
            }
        }
        Answer(Answered::Application)
    }

    /// Answers that there is no value.
    pub(crate) fn failure(self, code: Code, message: &str) {
        self.failure_with(code, message, |_| ());
    }

    /// As [`failure`](Self::failure), with details.
    pub(crate) fn failure_with(mut self, code: Code, message: &str, details: impl FnOnce(&mut Body<'_>)) {
        if self.one_way {
            return;
        }
        self.ready();
        let mut body = encode::failure(self.out, self.xid, code, message, self.frame_bytes_max);
        details(&mut body);
        if body.finish().is_err() {
            // Without details it fits: its message was cut to half a frame.
            let _ = encode::failure(self.out, self.xid, code, message, self.frame_bytes_max).finish();
        }
    }

    /// The handler has run, but what it returned cannot travel.
    fn unsent(self, error: &EncodeError) -> Answer {
        let (code, message) = match error {
            EncodeError::TooLarge => {
                (Code::ReplyTooLarge, format!("over the server's limit of {} bytes", self.frame_bytes_max))
            }
            EncodeError::Serialize(reason) => (Code::ReplyUnencodable, reason.clone()),
        };
        self.failure(code, &message);
        Answer(Answered::Unsent(Box::new((code, message))))
    }

    /// Takes a buffer only now, if there is none: a handler that parks for long holds a [small](scratch::is_small) one at most.
    #[inline]
    fn ready(&mut self) {
        if self.out.capacity() == 0 {
            *self.out = scratch::take();
        }
    }
}
