//! Bodies, as values of many types: no panic, no overflow of the stack, and what is checked is what serde accepts.
//!
//! Input: a MessagePack body.

#![no_main]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use fibra_rpc::codec::{self, Value};
use fibra_rpc::limits::{METADATA_BYTES_MAX, METADATA_ENTRIES_MAX};
use fibra_rpc::metadata::Metadata;
use fibra_rpc::reflection;
use fibra_rpc::wire::check::{Unacceptable, array_len, check};
use fibra_rpc::wire::encode;
use libfuzzer_sys::fuzz_target;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
enum Shape {
    Nothing,
    One(Box<Shape>),
    Pair(i64, Option<String>),
    Named { shapes: Vec<Shape>, note: Option<char> },
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    id: u128,
    #[serde(default)]
    tags: BTreeMap<String, Vec<u8>>,
    next: Option<Box<Record>>,
    ratio: f32,
    unit: (),
}

fuzz_target!(|body: &[u8]| {
    check_agrees(body);
    value::<Value>(body);
    value::<String>(body);
    value::<Vec<u8>>(body);
    value::<Vec<Vec<Vec<u64>>>>(body);
    value::<Vec<Option<[u64; 16]>>>(body);
    value::<HashMap<String, i64>>(body);
    value::<Shape>(body);
    value::<Record>(body);
    value::<Result<(i8, f64), char>>(body);
    value::<reflection::MethodInfo>(body);
    // Nil stands for none, too.
    let got = if body == [0xc0] { Some(0) } else { array_len(body) };
    for count in 0..4 {
        let is_that_many = got == Some(count);
        assert!(is_that_many || codec::decode_args::<Vec<Value>>(body, count).is_err());
    }
    let _ = codec::decode_args::<(i64, String)>(body, 2);
    metadata(body);
    let _ = codec::decode_all_args::<Vec<Value>>(body);
});

/// What is accepted is within its limits, and says the same again.
fn metadata(bytes: &[u8]) {
    let Ok(metadata) = Metadata::decode(bytes) else { return };
    assert!(metadata.len() <= METADATA_ENTRIES_MAX && metadata.encoded_len() <= METADATA_BYTES_MAX);
    let mut encoded = Vec::new();
    metadata.encode(|piece| encoded.extend_from_slice(piece));
    assert_eq!(encoded.len(), metadata.encoded_len());
    let again = Metadata::decode(&encoded).expect("it was encoded here");
    assert!(metadata.iter().eq(again.iter()));
}

/// What passes the check is one whole value to another reader, too. It accepts more: a byte that is reserved, and any depth.
fn check_agrees(body: &[u8]) {
    let mut rest = body;
    let read = rmpv::decode::read_value_with_max_depth(&mut rest, 1024);
    match check(body) {
        Ok(()) => assert!(read.is_ok() && rest.is_empty(), "{read:?}, {} left", rest.len()),
        Err(Unacceptable::Trailing { bytes }) => assert!(read.is_ok() && rest.len() == bytes, "{read:?}"),
        Err(Unacceptable::Truncated) => assert!(read.is_err() || body.contains(&0xc1), "{read:?}"),
        Err(_) => {}
    }
}

/// A value comes out of a body that passes the check only, and its own body says the same again.
fn value<T: Debug + Serialize + DeserializeOwned>(body: &[u8]) {
    let Ok(value) = codec::decode::<T>(body) else { return };
    assert_eq!(check(body), Ok(()));
    let Some(once) = encoded(&value) else { return };
    let again = codec::decode::<T>(&once).unwrap_or_else(|error| panic!("{error}: {value:?}"));
    let twice = encoded(&again).expect("it was encoded before");
    // A HashMap has no order.
    assert_eq!(once.len(), twice.len());
}

/// `None`: it is deeper than a body may be, in the form in which it is written.
fn encoded<T: Serialize>(value: &T) -> Option<Vec<u8>> {
    let mut frame = Vec::new();
    let mut body = encode::reply(&mut frame, 1, 64 * 1024 * 1024);
    codec::encode(&mut body, value).expect("it was decoded");
    body.finish().expect("it is not that large");
    let body = frame.split_off(fibra_rpc::wire::header::LEN);
    check(&body).is_ok().then_some(body)
}
