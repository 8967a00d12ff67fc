//! The MessagePack check: it accepts what serde writes, and nothing that could hurt serde.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::codec;
use crate::limits::{DECODE_VALUES_MAX, DEPTH_MAX};
use crate::wire::check::{Unacceptable, array_len, check};
use crate::wire::encode;
use crate::wire::header;

/// Every shape that serde has, nested.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Value {
    Unit,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Wide(u128),
    Single(f32),
    Double(f64),
    Char(char),
    Text(String),
    Bytes(Vec<u8>),
    Maybe(Option<Box<Value>>),
    List(Vec<Value>),
    Pair(Box<Value>, u8),
    Named { left: Box<Value>, right: i8 },
    Map(BTreeMap<String, Value>),
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Unit),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Signed),
        any::<u64>().prop_map(Value::Unsigned),
        any::<u128>().prop_map(Value::Wide),
        (-1e6_f32..1e6).prop_map(Value::Single),
        (-1e6_f64..1e6).prop_map(Value::Double),
        any::<char>().prop_map(Value::Char),
        ".{0,40}".prop_map(Value::Text),
        vec(any::<u8>(), 0..300).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            proptest::option::of(inner.clone().prop_map(Box::new)).prop_map(Value::Maybe),
            vec(inner.clone(), 0..5).prop_map(Value::List),
            (inner.clone(), any::<u8>()).prop_map(|(value, byte)| Value::Pair(Box::new(value), byte)),
            (inner.clone(), any::<i8>()).prop_map(|(left, right)| Value::Named { left: Box::new(left), right }),
            btree_map(".{0,8}", inner, 0..4).prop_map(Value::Map),
        ]
    })
}

fn encoded<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    let mut body = encode::reply(&mut out, 1, usize::MAX);
    codec::encode(&mut body, value).expect("encodable");
    body.finish().expect("within the limit");
    out.split_off(header::LEN)
}

/// `depth` arrays, one in the other.
fn nested(depth: usize) -> Vec<u8> {
    let mut bytes = vec![0x91; depth.saturating_sub(1)];
    bytes.push(0x90);
    bytes
}

proptest! {
    #[test]
    fn what_serde_writes_is_accepted_and_read_back(value in value()) {
        let bytes = encoded(&value);
        prop_assert_eq!(check(&bytes), Ok(()));
        prop_assert_eq!(codec::decode::<Value>(&bytes), Ok(value));
    }

    #[test]
    fn every_truncation_is_refused(value in value(), at in any::<prop::sample::Index>()) {
        let bytes = encoded(&value);
        prop_assert_eq!(check(&bytes[..at.index(bytes.len())]), Err(Unacceptable::Truncated));
    }

    #[test]
    fn trailing_bytes_are_refused(value in value(), more in vec(any::<u8>(), 1..5)) {
        let bytes = [encoded(&value), more.clone()].concat();
        prop_assert_eq!(check(&bytes), Err(Unacceptable::Trailing { bytes: more.len() }));
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..500)) {
        let _ = check(&bytes);
        let _ = codec::decode::<Value>(&bytes);
        let _ = codec::decode_args::<(Value, i64)>(&bytes, 2);
    }

    /// Values made of markers only: nests and counts far more than random bytes do.
    #[test]
    fn random_nesting_never_panics(bytes in vec(0x80_u8..=0xdf, 0..5000)) {
        let _ = check(&bytes);
    }
}

#[test]
fn nesting_is_accepted_up_to_the_limit() {
    assert_eq!(check(&nested(DEPTH_MAX)), Ok(()));
    assert_eq!(check(&nested(DEPTH_MAX + 1)), Err(Unacceptable::TooDeep));
    assert_eq!(check(&vec![0x91; 4 << 20]), Err(Unacceptable::TooDeep));
    assert_eq!(check(&vec![0x81; 4 << 20]), Err(Unacceptable::TooDeep));
}

#[test]
fn serde_accepts_the_same_depth() {
    // The second fence must not be the nearer one.
    assert!(codec::decode::<serde::de::IgnoredAny>(&nested(DEPTH_MAX)).is_ok());
}

#[test]
fn a_count_that_cannot_be_true_is_refused() {
    assert_eq!(check(&[0xdd, 0xff, 0xff, 0xff, 0xff]), Err(Unacceptable::Truncated), "array of 4 G");
    assert_eq!(check(&[0xdf, 0xff, 0xff, 0xff, 0xff]), Err(Unacceptable::Truncated), "map of 4 G");
    assert_eq!(check(&[0xc6, 0xff, 0xff, 0xff, 0xff]), Err(Unacceptable::Truncated), "bin of 4 GiB");
    assert_eq!(check(&[0xc9, 0xff, 0xff, 0xff, 0xff, 1]), Err(Unacceptable::Truncated), "ext of 4 GiB");
}

#[test]
fn every_format_of_the_specification_is_known() {
    for marker in 0..=u8::MAX {
        let mut bytes = vec![marker];
        // Zeros for the length (so: empty), or for the data; 17 bytes are the longest.
        let verdict = (0..=17).find_map(|_| match check(&bytes) {
            Err(Unacceptable::Truncated) => {
                // A container's elements must not be mistaken for its length: nil for 0xc0.
                let element = matches!(marker, 0x80..=0x9f);
                bytes.push(if element { 0xc0 } else { 0 });
                None
            }
            verdict => Some(verdict),
        });
        let expected = match marker {
            0xc1 => Some(Err(Unacceptable::Reserved)),
            // Longer than the loop goes; they are strings and maps all the same.
            0xb2..=0xbf | 0x89..=0x8f => None,
            _ => Some(Ok(())),
        };
        assert_eq!(verdict, expected, "marker {marker:#04x}");
    }
}

#[test]
fn nothing_is_not_a_value() {
    assert_eq!(check(&[]), Err(Unacceptable::Truncated));
    assert_eq!(check(&[0xc1]), Err(Unacceptable::Reserved));
}

#[test]
fn arguments_are_counted_before_they_are_read() {
    let two = encoded(&(1_i64, 2_i64));
    assert_eq!(array_len(&two), Some(2));
    assert_eq!(codec::decode_args::<(i64, i64)>(&two, 2), Ok((1, 2)));
    assert!(codec::decode_args::<(i64,)>(&two, 1).is_err());
    assert!(codec::decode_args::<[(); 0]>(&encoded(&[(); 0]), 0).is_ok());
    assert!(codec::decode_args::<(i64,)>(&encoded(&5), 1).is_err(), "no array");
}

#[test]
fn a_struct_may_gain_a_field() {
    #[derive(Serialize)]
    struct Old {
        name: &'static str,
    }
    #[derive(Deserialize)]
    struct New {
        name: String,
        #[serde(default)]
        age: u8,
    }
    let new: New = codec::decode(&encoded(&Old { name: "Ada" })).expect("compatible");
    assert_eq!((new.name.as_str(), new.age), ("Ada", 0));
}

#[test]
fn bytes_travel_as_bytes() {
    assert_eq!(encoded(&vec![200_u8; 3]), [0xc4, 3, 200, 200, 200]);
    assert_eq!(codec::decode::<Vec<u8>>(&[0x92, 1, 2]), Ok(vec![1, 2]), "an array of numbers is understood too");
}

/// What is decoded takes no more memory than so many values can, however few bytes they came in.
#[test]
fn values_are_counted_over_all_arrays_and_maps() {
    let array = |values: usize| {
        let count = u32::try_from(values).expect("few enough").to_be_bytes();
        [&[0xdd][..], &count, &vec![0xc0; values]].concat()
    };
    assert_eq!(check(&array(DECODE_VALUES_MAX)), Ok(()));
    assert_eq!(check(&array(DECODE_VALUES_MAX + 1)), Err(Unacceptable::TooMany));
    let two = |values| [vec![0x92], array(values), array(values)].concat();
    assert_eq!(check(&two(DECODE_VALUES_MAX / 2 - 1)), Ok(()));
    assert_eq!(check(&two(DECODE_VALUES_MAX / 2)), Err(Unacceptable::TooMany));
    let bytes = [&[0xc6, 0, 0x10, 0, 0][..], &vec![0; 1 << 20]].concat();
    assert_eq!(check(&bytes), Ok(()), "bytes are one value");
}
