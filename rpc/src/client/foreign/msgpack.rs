//! The messages of MessagePack-RPC.
//!
//! Source: the specification of the msgpack project (`msgpack-rpc/spec.md`). What a server reads of it is in [`dialect::msgpack_rpc`](crate::dialect::msgpack_rpc).

use serde::Serialize;

use super::message::{Answer, Body, Incoming, NotSent};
use crate::codec;
use crate::dialect::extent;
use crate::wire::check::{Item, array_len};

const REQUEST: u8 = 0;
const RESPONSE: u8 = 1;
const NOTIFICATION: u8 = 2;
const NIL: u8 = 0xc0;

/// Arguments as an array.
///
/// # Errors
///
/// [`NotSent::BadArguments`]: they are none, or cannot be encoded.
pub(super) fn params<A: Serialize + ?Sized>(args: &A, bytes_max: usize) -> Result<Vec<u8>, NotSent> {
    let params = codec::to_vec(args, bytes_max).map_err(|error| match error {
        codec::EncodeError::TooLarge => NotSent::TooLarge(format!("over the limit of {bytes_max} bytes")),
        codec::EncodeError::Serialize(reason) => NotSent::BadArguments(reason),
    })?;
    match array_len(&params) {
        Some(_) => Ok(params),
        None => Err(NotSent::BadArguments("MessagePack-RPC takes arguments as an array".to_owned())),
    }
}

/// A request, or a notification if it has no id.
pub(super) fn call(id: Option<u32>, method: &str, params: &[u8]) -> Vec<u8> {
    let mut message = match id {
        Some(_) => vec![0x94, REQUEST],
        None => vec![0x93, NOTIFICATION],
    };
    // Memory takes all.
    if let Some(id) = id {
        let _ = rmp::encode::write_uint(&mut message, id.into());
    }
    let _ = rmp::encode::write_str(&mut message, method);
    message.extend_from_slice(params);
    message
}

/// Reads a message that is there as a whole.
///
/// # Errors
///
/// Why it is none, for people.
pub(super) fn read(message: &[u8]) -> Result<Incoming, String> {
    let malformed = || "it is no MessagePack-RPC message".to_owned();
    let members = array_len(message).ok_or_else(malformed)?;
    let mut rest = message;
    Item::read(&mut rest).map_err(|error| error.to_string())?;
    let kind: u8 = rmp::decode::read_int(&mut rest).map_err(|_| malformed())?;
    match (kind, members) {
        (REQUEST, 4) => {
            let id = extent::take(&mut rest).ok_or_else(malformed)?;
            Ok(Incoming::Request(refusal(id)))
        }
        (RESPONSE, 4) => {
            let Ok(id) = rmp::decode::read_int(&mut rest) else { return Ok(Incoming::Other) };
            let error = extent::take(&mut rest).ok_or_else(malformed)?;
            Ok(Incoming::Answer(
                id,
                match error {
                    [NIL] => Answer::Value(Body::MessagePack(rest.to_vec())),
                    error => Answer::Error(Body::MessagePack(error.to_vec())),
                },
            ))
        }
        (NOTIFICATION, 3) => Ok(Incoming::Other),
        _ => Err(malformed()),
    }
}

/// Here nothing is served.
fn refusal(id: &[u8]) -> Vec<u8> {
    let mut message = vec![0x94, RESPONSE];
    message.extend_from_slice(id);
    // Memory takes all.
    let _ = rmp::encode::write_str(&mut message, "there is no such method: this is a client");
    message.push(NIL);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_as_specified() {
        let params = params(&(42, "x"), 100).expect("an array");
        assert_eq!(call(Some(7), "add", &params), b"\x94\x00\x07\xa3add\x92\x2a\xa1x");
        assert_eq!(call(None, "add", &params), b"\x93\x02\xa3add\x92\x2a\xa1x");
        assert!(matches!(super::params(&3, 100), Err(NotSent::BadArguments(_))));
        assert!(matches!(super::params(&("x".repeat(200),), 100), Err(NotSent::TooLarge(_))));
    }

    #[test]
    fn answers_are_told_from_what_else_comes() {
        let told = |message: &[u8]| format!("{:?}", read(message));
        assert!(told(b"\x94\x01\x07\xc0\x2a").starts_with("Ok(Answer(7, Value("));
        assert!(told(b"\x94\x01\x07\xa1x\xc0").starts_with("Ok(Answer(7, Error("));
        assert!(told(b"\x94\x01\xa1x\xc0\xc0").starts_with("Ok(Other"));
        assert!(told(b"\x93\x02\xa1x\x90").starts_with("Ok(Other"));
        assert!(
            matches!(read(b"\x94\x00\xcd\x01\x00\xa1x\x90"), Ok(Incoming::Request(told)) if told.starts_with(b"\x94\x01\xcd\x01\x00"))
        );
        for message in [&b"\x07"[..], b"\x90", b"\x94\x09\x07\xc0\xc0", b"\x93\x01\x07\xc0", b"\x80"] {
            assert!(read(message).is_err(), "{message:?}");
        }
    }
}
