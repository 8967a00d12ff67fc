//! MessagePack to JSON: a method's value, or its own error, for a client that takes JSON.
//!
//! | MessagePack | JSON |
//! |---|---|
//! | nil, booleans, numbers | themselves; a float that is no number is `null`, as serde_json has it |
//! | str | a string; what is no UTF-8 in it is replaced |
//! | bin | an array of numbers: what a `Vec<u8>` takes |
//! | a map | an object; numbers and booleans as keys become strings, others have no form |
//! | ext | an array of its type and an array of numbers |
//!
//! Invariant: no recursion: a handler's value may nest as deep as it likes.

use std::fmt::{self, Display};
use std::io::Write;

use rmp::Marker;
use serde::Serialize;

use super::super::extent::take;

/// Why a value has no form in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoForm {
    /// A map has a key that is no text, number or boolean.
    Key,
    /// It is no MessagePack.
    Malformed,
}

impl Display for NoForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key => f.write_str("a map in the value has a key that JSON has no form for"),
            Self::Malformed => f.write_str("the value is no MessagePack"),
        }
    }
}

impl std::error::Error for NoForm {}

/// An array or object that has been begun.
struct Open {
    /// Values still to come, keys included.
    left: usize,
    /// Of an object: a key and its value in turns.
    object: bool,
    is_first: bool,
}

/// Appends a MessagePack value as JSON.
///
/// ```
/// use fibra_rpc::dialect::json::from_msgpack::append_json;
///
/// let mut json = Vec::new();
/// append_json(&mut json, b"\x82\xa1a\x92\x01\xc0\xa1b\xc3")?;
/// assert_eq!(json, br#"{"a":[1,null],"b":true}"#);
/// # Ok::<(), fibra_rpc::dialect::json::from_msgpack::NoForm>(())
/// ```
///
/// # Errors
///
/// [`NoForm`]; then what was appended is to be dropped.
pub fn append_json(out: &mut Vec<u8>, value: &[u8]) -> Result<(), NoForm> {
    let mut rest = value;
    let mut around: Vec<Open> = Vec::new();
    loop {
        let is_key = match around.last_mut() {
            None => false,
            Some(Open { left: 0, object, .. }) => {
                out.push(if *object { b'}' } else { b']' });
                around.pop();
                if around.is_empty() {
                    break;
                }
                continue;
            }
            Some(open) => {
                let is_key = open.object && open.left % 2 == 0;
                if open.object && !is_key {
                    out.push(b':');
                } else if !std::mem::replace(&mut open.is_first, false) {
                    out.push(b',');
                }
                open.left -= 1;
                is_key
            }
        };
        match (read(&mut rest).ok_or(NoForm::Malformed)?, is_key) {
            (Token::Scalar(scalar), true) => scalar.append_key(out)?,
            (Token::Scalar(scalar), false) => scalar.append(out),
            (_, true) => return Err(NoForm::Key),
            (Token::Array(left), false) => {
                out.push(b'[');
                around.push(Open { left, object: false, is_first: true });
            }
            (Token::Map(entries), false) => {
                out.push(b'{');
                let left = entries.checked_mul(2).ok_or(NoForm::Malformed)?;
                around.push(Open { left, object: true, is_first: true });
            }
        }
        if around.is_empty() {
            break;
        }
    }
    if rest.is_empty() { Ok(()) } else { Err(NoForm::Malformed) }
}

enum Token<'a> {
    Scalar(Scalar<'a>),
    Array(usize),
    Map(usize),
}

enum Scalar<'a> {
    Nil,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    F32(f32),
    F64(f64),
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    Ext(i8, &'a [u8]),
}

/// Takes the next value off `rest`; of an array or a map, its header.
fn read<'a>(rest: &mut &'a [u8]) -> Option<Token<'a>> {
    let mut ahead = *rest;
    let marker = rmp::decode::read_marker(&mut ahead).ok()?;
    let len = |behind: &mut &[u8]| rmp::decode::read_array_len(behind).ok().and_then(|len| usize::try_from(len).ok());
    match marker {
        Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => return Some(Token::Array(len(rest)?)),
        Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
            let entries = rmp::decode::read_map_len(rest).ok()?;
            return Some(Token::Map(usize::try_from(entries).ok()?));
        }
        _ => {}
    }
    let mut value = take(rest)?;
    Some(Token::Scalar(match marker {
        Marker::Null => Scalar::Nil,
        Marker::True => Scalar::Bool(true),
        Marker::False => Scalar::Bool(false),
        Marker::F32 => Scalar::F32(rmp::decode::read_f32(&mut value).ok()?),
        Marker::F64 => Scalar::F64(rmp::decode::read_f64(&mut value).ok()?),
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
            rmp::decode::read_str_len(&mut value).ok()?;
            Scalar::Text(value)
        }
        Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
            rmp::decode::read_bin_len(&mut value).ok()?;
            Scalar::Bytes(value)
        }
        Marker::FixPos(_) | Marker::U8 | Marker::U16 | Marker::U32 | Marker::U64 => {
            Scalar::Unsigned(rmp::decode::read_int(&mut value).ok()?)
        }
        Marker::FixNeg(_) | Marker::I8 | Marker::I16 | Marker::I32 | Marker::I64 => {
            Scalar::Signed(rmp::decode::read_int(&mut value).ok()?)
        }
        _ => {
            let meta = rmp::decode::read_ext_meta(&mut value).ok()?;
            Scalar::Ext(meta.typeid, value)
        }
    }))
}

impl Scalar<'_> {
    fn append(&self, out: &mut Vec<u8>) {
        match self {
            Self::Nil => out.extend_from_slice(b"null"),
            Self::Bool(value) => put(out, value),
            Self::Signed(value) => put(out, value),
            Self::Unsigned(value) => put(out, value),
            Self::F32(value) => put(out, value),
            Self::F64(value) => put(out, value),
            Self::Text(text) => put(out, &String::from_utf8_lossy(text)),
            Self::Bytes(bytes) => put(out, bytes),
            Self::Ext(kind, bytes) => put(out, &(kind, bytes)),
        }
    }

    fn append_key(&self, out: &mut Vec<u8>) -> Result<(), NoForm> {
        match self {
            Self::Text(_) => self.append(out),
            Self::Bool(value) => quote(out, value),
            Self::Signed(value) => quote(out, value),
            Self::Unsigned(value) => quote(out, value),
            _ => return Err(NoForm::Key),
        }
        Ok(())
    }
}

/// What serde_json makes of it. Memory takes all, and these have a form.
fn put<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let _ = serde_json::to_writer(out, value);
}

fn quote(out: &mut Vec<u8>, value: &impl Display) {
    let _ = write!(out, "\"{value}\"");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rmpv::Value;

    use super::super::to_msgpack;
    use super::*;

    fn json(value: &Value) -> Result<String, NoForm> {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, value).expect("memory takes all");
        let mut out = Vec::new();
        append_json(&mut out, &bytes)?;
        Ok(String::from_utf8(out).expect("JSON is UTF-8"))
    }

    #[test]
    fn every_kind_of_value() {
        for (value, expected) in [
            (Value::Nil, "null"),
            (true.into(), "true"),
            (i64::MIN.into(), "-9223372036854775808"),
            (u64::MAX.into(), "18446744073709551615"),
            (Value::F32(0.1), "0.1"),
            (0.1.into(), "0.1"),
            (f64::NAN.into(), "null"),
            ("a\"€\n".into(), "\"a\\\"€\\n\""),
            (Value::Binary(vec![0, 255]), "[0,255]"),
            (Value::Ext(-1, vec![1, 2]), "[-1,[1,2]]"),
            (Value::Array(vec![]), "[]"),
            (Value::Map(vec![]), "{}"),
            (Value::Map(vec![(1.into(), 2.into()), (false.into(), "x".into())]), "{\"1\":2,\"false\":\"x\"}"),
        ] {
            assert_eq!(json(&value).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn keys_without_a_form() {
        for key in [Value::Nil, Value::Array(vec![]), 0.5.into(), Value::Map(vec![])] {
            assert_eq!(json(&Value::Map(vec![(key, 1.into())])), Err(NoForm::Key));
        }
        assert_eq!(append_json(&mut Vec::new(), &[0x92, 1]), Err(NoForm::Malformed));
        assert_eq!(append_json(&mut Vec::new(), &[1, 1]), Err(NoForm::Malformed));
    }

    #[test]
    fn depth_is_no_matter() {
        let deep = [&vec![0x91; 1_000_000][..], &[0x01]].concat();
        let mut out = Vec::new();
        assert_eq!(append_json(&mut out, &deep), Ok(()));
        assert_eq!(out.len(), 2_000_001);
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        use serde_json::Value;
        let finite = any::<f64>().prop_filter("JSON has no other", |float| float.is_finite());
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            finite.prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
                proptest::collection::hash_map(any::<String>(), inner, 0..20)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn json_comes_back(value in value()) {
            let there = to_msgpack(&value.to_string()).expect("JSON");
            let mut back = Vec::new();
            append_json(&mut back, &there).expect("it was JSON");
            prop_assert_eq!(serde_json::from_slice::<serde_json::Value>(&back).expect("JSON"), value);
        }

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = append_json(&mut Vec::new(), &bytes);
        }
    }
}
