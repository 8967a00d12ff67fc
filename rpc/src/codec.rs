//! Values to and from MessagePack bodies: the one way to and from serde.
//!
//! * Structs travel as maps by field name, so that types can gain fields (`#[serde(default)]`) without breaking peers.
//! * Arguments travel as one array, by position.
//! * `Vec<u8>` and `&[u8]` travel as `bin`, not as an array of numbers; either is understood.
//!
//! Invariant: every body passes [`check`](crate::wire::check) before serde sees it.

use std::fmt;

use rmp_serde::config::BytesMode;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Any MessagePack value: of a method whose types this program does not know.
pub use rmpv::Value;

use crate::limits::DEPTH_MAX;
use crate::wire::check::{array_len, check};
use crate::wire::encode::Body;

/// Appends `value` to a frame's body.
///
/// # Errors
///
/// [`EncodeError`]: over the frame limit, or the value's own `Serialize` failed.
pub fn encode<T: Serialize + ?Sized>(body: &mut Body<'_>, value: &T) -> Result<(), EncodeError> {
    let mut serializer = rmp_serde::Serializer::new(&mut *body).with_struct_map().with_bytes(BytesMode::ForceIterables);
    let encoded = value.serialize(&mut serializer);
    match encoded {
        _ if body.is_too_large() => Err(EncodeError::TooLarge),
        Ok(()) => Ok(()),
        Err(error) => Err(EncodeError::Serialize(error.to_string())),
    }
}

/// Appends a call's arguments: a tuple, or `()` for none.
///
/// # Errors
///
/// As [`encode`].
pub(crate) fn encode_args<A: Serialize>(body: &mut Body<'_>, args: &A) -> Result<(), EncodeError> {
    // Of no size: so others do not pay for the question.
    if size_of::<A>() == 0 && is_nil(args) {
        body.push(NO_ARGS);
        return if body.is_too_large() { Err(EncodeError::TooLarge) } else { Ok(()) };
    }
    encode(body, args)
}

fn is_nil<A: Serialize>(args: &A) -> bool {
    let mut byte = [0];
    let encoded = args.serialize(&mut rmp_serde::Serializer::new(&mut byte[..]));
    encoded.is_ok() && byte == [NIL]
}

/// A value as bytes of their own, at most so many.
///
/// # Errors
///
/// As [`encode`].
pub(crate) fn to_vec<T: Serialize + ?Sized>(value: &T, bytes_max: usize) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    let mut serializer = rmp_serde::Serializer::new(&mut bytes).with_struct_map().with_bytes(BytesMode::ForceIterables);
    value.serialize(&mut serializer).map_err(|error| EncodeError::Serialize(error.to_string()))?;
    if bytes.len() > bytes_max { Err(EncodeError::TooLarge) } else { Ok(bytes) }
}

/// Reads the one value that a body holds.
///
/// # Errors
///
/// [`DecodeError`] if it is malformed, too deep, or not a `T`.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, DecodeError> {
    check(body).map_err(|error| DecodeError(error.to_string()))?;
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(body);
    // A second fence; one level more because rmp-serde fails at zero, and one for a value in an ext.
    deserializer.set_max_depth(DEPTH_MAX + 2);
    T::deserialize(&mut deserializer).map_err(|error| DecodeError(error.to_string()))
}

/// What stands for no arguments, beside an empty array: `()` as serde has it.
const NIL: u8 = 0xc0;

/// No arguments.
const NO_ARGS: &[u8] = &[0x90];

/// Reads the `count` arguments of a call, as a tuple `T` of that many.
///
/// # Errors
///
/// [`DecodeError`], as [`decode`]; also if their number is another.
pub fn decode_args<T: DeserializeOwned>(body: &[u8], count: usize) -> Result<T, DecodeError> {
    match array_len(body) {
        Some(got) if got == count => decode(body),
        Some(got) => Err(DecodeError(format!("the method takes {count} arguments, not {got}"))),
        None if body == [NIL] => decode_args(NO_ARGS, count),
        None => Err(no_array()),
    }
}

/// Reads the arguments of a call, however many they are, as the elements of a `T`.
///
/// # Errors
///
/// [`DecodeError`], as [`decode`].
pub fn decode_all_args<T: DeserializeOwned>(body: &[u8]) -> Result<T, DecodeError> {
    match array_len(body) {
        Some(_) => decode(body),
        None if body == [NIL] => decode(NO_ARGS),
        None => Err(no_array()),
    }
}

fn no_array() -> DecodeError {
    DecodeError("the arguments are not a MessagePack array".to_owned())
}

/// Why a value did not become a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// It is over the frame limit.
    TooLarge,
    /// Its `Serialize` failed, with this explanation.
    Serialize(String),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("the value is over the frame limit"),
            Self::Serialize(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for EncodeError {}

/// Why a body did not become a value: for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError(pub(crate) String);

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DecodeError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{encode, header};

    fn args(args: &impl Serialize) -> Vec<u8> {
        let mut frame = Vec::new();
        let mut body = encode::item(&mut frame, 1, 1024);
        encode_args(&mut body, args).expect("they are short");
        body.finish().expect("they are short");
        frame.split_off(header::LEN)
    }

    #[test]
    fn no_arguments_are_an_empty_array_however_they_are_said() {
        assert_eq!((args(&()), args(&[(); 0])), (vec![0x90], vec![0x90]));
        assert_eq!(args(&((),)), [0x91, 0xc0], "one that says nothing");
        assert_eq!(args(&(7,)), [0x91, 7]);
        assert_eq!(decode_args::<[(); 0]>(&[NIL], 0), Ok([]));
        assert!(decode_args::<((),)>(&[NIL], 1).is_err());
    }
}
