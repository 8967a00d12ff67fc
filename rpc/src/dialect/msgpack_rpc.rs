//! MessagePack-RPC: requests, notifications and responses, each one MessagePack array.
//!
//! Source: the specification of the msgpack project (`msgpack-rpc/spec.md`).
//!
//! | message | |
//! |---|---|
//! | request | `[0, msgid, method, params]` |
//! | response | `[1, msgid, error, result]`, one of the two nil |
//! | notification | `[2, method, params]` |
//!
//! A method's name is `str` or `bin`, `params` an array; a map of names is taken, too. There is no other framing: [`Extent`] finds where a message
//! ends. An error is an array, `[code, message, executed]` or `[1, message, "yes", the method's own error]`, which begins as Neovim's errors do;
//! codes are those of the native protocol.

use std::fmt;

use super::answer::{Answer, Failure};
use super::extent::{self, Extent};
use crate::wire::check::{Item, Unacceptable, array_len};
use crate::wire::failure::Code;

/// What a client says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Run a method, and answer.
    Request {
        /// Names the call to its client: given back as it came.
        id: u32,
        /// Which method: any bytes.
        method: &'a [u8],
        /// One MessagePack value, not looked at.
        params: &'a [u8],
    },
    /// Run a method.
    Notification {
        /// Which method: any bytes.
        method: &'a [u8],
        /// One MessagePack value, not looked at.
        params: &'a [u8],
    },
}

/// Why bytes are no message.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// They are no MessagePack, or end too early.
    MessagePack(Unacceptable),
    /// Longer than the limit.
    TooLarge {
        /// The limit.
        max: usize,
    },
    /// Not an array of three or four that begins with 0 or 2.
    NoMessage,
    /// A response, where nothing was asked.
    Response,
    /// A request whose id is no number of 32 bits.
    Id,
    /// Its method has no name, or its parameters are neither an array nor a map.
    Call {
        /// Of a request: to be answered.
        id: Option<u32>,
    },
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MessagePack(unacceptable) => unacceptable.fmt(f),
            Self::TooLarge { max } => write!(f, "a message is longer than {max} bytes"),
            Self::NoMessage => {
                f.write_str("no MessagePack-RPC message: [0, id, method, params] or [2, method, params]")
            }
            Self::Response => f.write_str("a response, where nothing was asked"),
            Self::Id => f.write_str("a request's id is no number of 32 bits"),
            Self::Call { .. } => f.write_str("the method is no text, or the parameters are no array"),
        }
    }
}

impl std::error::Error for Malformed {}

/// Where the first message in `input` ends, once it is there as a whole: see [`Extent::look`].
///
/// # Errors
///
/// [`Malformed`]: there is none, or it is longer than `max`.
pub fn end(extent: &mut Extent, input: &[u8], max: usize) -> Result<Option<usize>, Malformed> {
    let end = extent.look(input).map_err(Malformed::MessagePack)?;
    let too_large = end.unwrap_or_else(|| extent.at_least()) > max;
    if too_large { Err(Malformed::TooLarge { max }) } else { Ok(end) }
}

/// Reads one whole message.
///
/// # Errors
///
/// [`Malformed`]
pub fn parse(message: &[u8]) -> Result<Message<'_>, Malformed> {
    let members = array_len(message).ok_or(Malformed::NoMessage)?;
    let mut rest = message;
    Item::read(&mut rest).map_err(Malformed::MessagePack)?;
    let kind = number(&mut rest).ok_or(Malformed::NoMessage)?;
    match (kind, members) {
        (0, 4) => {
            let id = number(&mut rest).and_then(|id| u32::try_from(id).ok()).ok_or(Malformed::Id)?;
            let (method, params) = call(rest).ok_or(Malformed::Call { id: Some(id) })?;
            Ok(Message::Request { id, method, params })
        }
        (2, 3) => {
            let (method, params) = call(rest).ok_or(Malformed::Call { id: None })?;
            Ok(Message::Notification { method, params })
        }
        (1, 4) => Err(Malformed::Response),
        _ => Err(Malformed::NoMessage),
    }
}

/// The last two members of a message.
fn call(mut rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let method = extent::take_text(&mut rest)?;
    let params = extent::take(&mut rest)?;
    let is_structure = matches!(params.first()?, 0x80..=0x9f | 0xdc..=0xdf);
    (is_structure && rest.is_empty()).then_some((method, params))
}

/// Takes a number off `rest`; leaves it as it is, if it begins with another value.
fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut behind = *rest;
    let number = rmp::decode::read_int(&mut behind).ok()?;
    *rest = behind;
    Some(number)
}

/// Appends the response to the request of that id.
pub fn respond(out: &mut Vec<u8>, id: u32, answer: &Answer) {
    out.extend_from_slice(&[0x94, 0x01]);
    put(rmp::encode::write_uint(out, id.into()));
    match answer {
        Answer::Value(value) => {
            out.push(0xc0);
            out.extend_from_slice(value);
        }
        Answer::Failure(failure) => {
            error(out, failure);
            out.push(0xc0);
        }
    }
}

fn error(out: &mut Vec<u8>, failure: &Failure) {
    // What others have as details is of the native protocol.
    let details = if failure.code == Code::Application { &failure.details[..] } else { &[] };
    out.push(if details.is_empty() { 0x93 } else { 0x94 });
    put(rmp::encode::write_uint(out, failure.code as u64));
    put(rmp::encode::write_str(out, &failure.words()));
    put(rmp::encode::write_str(out, failure.executed_word()));
    out.extend_from_slice(details);
}

/// Memory takes all that is written to it.
fn put<T, E>(written: Result<T, E>) {
    debug_assert!(written.is_ok());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rmpv::Value;

    use super::*;

    fn bytes(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, value).expect("memory takes all");
        bytes
    }

    fn array(members: impl IntoIterator<Item = Value>) -> Vec<u8> {
        bytes(&Value::Array(members.into_iter().collect()))
    }

    fn nothing() -> Value {
        Value::Array(Vec::new())
    }

    #[test]
    fn the_two_kinds_of_messages() {
        let request = array([0.into(), u32::MAX.into(), "add".into(), nothing()]);
        assert_eq!(parse(&request), Ok(Message::Request { id: u32::MAX, method: b"add", params: &[0x90] }));
        let binary = array([0.into(), 7.into(), Value::Binary(b"add".to_vec()), nothing()]);
        assert_eq!(parse(&binary), Ok(Message::Request { id: 7, method: b"add", params: &[0x90] }));
        let notification = array([2.into(), "add".into(), nothing()]);
        assert_eq!(parse(&notification), Ok(Message::Notification { method: b"add", params: &[0x90] }));
        // Numbers in forms that are longer than they need be, and a long array's header.
        assert_eq!(
            parse(b"\xdc\x00\x04\xcc\x00\xcf\x00\x00\x00\x00\x00\x00\x00\x05\xa1a\x90"),
            Ok(Message::Request { id: 5, method: b"a", params: &[0x90] })
        );
    }

    #[test]
    fn what_is_no_message() {
        for (message, reason) in [
            (array([0.into(), 7.into(), "add".into()]), Malformed::NoMessage),
            (array([2.into(), "add".into(), nothing(), nothing()]), Malformed::NoMessage),
            (array([3.into(), "add".into(), nothing()]), Malformed::NoMessage),
            (array(["0".into(), 7.into(), "add".into(), nothing()]), Malformed::NoMessage),
            (array([1.into(), 7.into(), Value::Nil, 8.into()]), Malformed::Response),
            (array([0.into(), (-1).into(), "add".into(), nothing()]), Malformed::Id),
            (array([0.into(), (1_u64 << 32).into(), "add".into(), nothing()]), Malformed::Id),
            (array([0.into(), "7".into(), "add".into(), nothing()]), Malformed::Id),
            (array([0.into(), 7.into(), 8.into(), nothing()]), Malformed::Call { id: Some(7) }),
            (array([0.into(), 7.into(), "add".into(), 8.into()]), Malformed::Call { id: Some(7) }),
            (array([2.into(), "add".into(), Value::Nil]), Malformed::Call { id: None }),
            (bytes(&"add".into()), Malformed::NoMessage),
        ] {
            assert_eq!(parse(&message), Err(reason), "{message:?}");
        }
    }

    #[test]
    fn a_message_has_a_limit_that_is_known_early() {
        let announced = [0x94, 0x00, 0x01, 0xdb, 0x00, 0x10, 0x00, 0x00];
        assert_eq!(end(&mut Extent::new(), &announced, 1 << 16), Err(Malformed::TooLarge { max: 1 << 16 }));
        let whole = array([0.into(), 7.into(), "add".into(), nothing()]);
        assert_eq!(end(&mut Extent::new(), &whole, whole.len()), Ok(Some(whole.len())));
        assert!(end(&mut Extent::new(), &whole, whole.len() - 1).is_err());
        let reserved = Malformed::MessagePack(Unacceptable::Reserved);
        assert_eq!(end(&mut Extent::new(), &[0x94, 0xc1], 100), Err(reserved));
    }

    #[test]
    fn responses() {
        let mut out = Vec::new();
        respond(&mut out, 7, &Answer::Value(vec![8].into()));
        assert_eq!(out, array([1.into(), 7.into(), Value::Nil, 8.into()]));

        out.clear();
        respond(&mut out, 300, &Failure::new(Code::UnknownMethod, "no `add`").into());
        let error = Value::Array(vec![3.into(), "no `add`".into(), "no".into()]);
        assert_eq!(out, array([1.into(), 300.into(), error, Value::Nil]));

        out.clear();
        let own = Failure { details: bytes(&"broke".into()).into(), ..Failure::new(Code::Application, "") };
        respond(&mut out, 1, &own.into());
        let error = Value::Array(vec![1.into(), "the method's own error".into(), "yes".into(), "broke".into()]);
        assert_eq!(out, array([1.into(), 1.into(), error, Value::Nil]));
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(Some(end)) = end(&mut Extent::new(), &bytes, 50) {
                let _ = parse(&bytes[..end]);
            }
        }
    }
}
