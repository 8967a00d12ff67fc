//! The well-known types travel as proto3's JSON mapping has them, in fibra's own encoding, too; and as JSON.

use std::collections::BTreeMap;

use fibra::proto::{Any, Duration, Empty, FieldMask, Kind, ListValue, Struct, Timestamp, Value as Json};
use fibra::rpc::codec::Value;
use fibra_idl_tests::api::kinds::v1::WellKnown;
use prost::Message;

use crate::support::{arriving, map, member, travelling};

fn all() -> WellKnown {
    let list = ListValue { values: vec![Json::NULL, 1.5.into(), "x".to_owned().into(), true.into()] };
    WellKnown {
        at: Some(Timestamp { seconds: 1, nanos: 500_000_000 }),
        took: Some(Duration { seconds: 0, nanos: -1_000 }),
        any: Some(Any::pack("google.protobuf.Duration", &Duration { seconds: 3, nanos: 0 })),
        object: Some(Struct { fields: BTreeMap::from([("list".to_owned(), list.clone().into())]) }),
        value: Some(false.into()),
        list: Some(list),
        mask: Some(FieldMask { paths: vec!["a.b".into(), "c".into()] }),
        empty: Some(Empty {}),
        a_bool: Some(false),
        some_bytes: Some(vec![7].into()),
        a_double: Some(0.0),
        a_float: Some(0.5),
        an_int32: Some(0),
        an_int64: Some(-1),
        a_string: Some(String::new()),
        an_uint32: Some(1),
        an_uint64: Some(u64::MAX),
        null: 0,
        strings: vec!["a".into()],
        times: BTreeMap::from([("then".to_owned(), Timestamp::default())]),
    }
}

#[test]
fn each_travels_as_json_has_it() {
    let value = travelling(&all());
    let list = Value::Array(vec![Value::Nil, 1.5.into(), "x".into(), true.into()]);
    for (name, expected) in [
        ("at", Value::from("1970-01-01T00:00:01.500Z")),
        ("took", Value::from("-0.000001s")),
        (
            "any",
            map([
                ("type_url", "type.googleapis.com/google.protobuf.Duration".into()),
                ("value", Value::Binary(vec![8, 3])),
            ]),
        ),
        ("object", map([("list", list.clone())])),
        ("value", Value::from(false)),
        ("list", list),
        ("mask", Value::from("a.b,c")),
        ("empty", map([])),
        ("a_bool", Value::from(false)),
        ("some_bytes", Value::Binary(vec![7])),
        ("a_double", Value::from(0.0)),
        ("a_string", Value::from("")),
        ("an_uint64", Value::from(u64::MAX)),
        ("null", Value::from(0)),
        ("strings", Value::Array(vec!["a".into()])),
        ("times", map([("then", "1970-01-01T00:00:00Z".into())])),
    ] {
        assert_eq!(member(&value, name), &expected, "{name}");
    }
}

#[test]
fn all_encodings_give_back_what_they_got() {
    for known in [all(), WellKnown::default()] {
        assert_eq!(arriving::<WellKnown>(&travelling(&known)).expect("it is one"), known);
        assert_eq!(WellKnown::decode(known.encode_to_vec().as_slice()), Ok(known.clone()));
        let json = serde_json::to_string(&known).expect("it has no value that JSON has not");
        assert_eq!(serde_json::from_str::<WellKnown>(&json).expect("it is one"), known);
    }
}

#[test]
fn a_value_that_is_there_and_null_is_not_there() {
    // JSON does not tell them apart, and neither does MessagePack: the one thing that is lost on the way.
    let null = WellKnown { value: Some(Json { kind: Some(Kind::NullValue(0)) }), ..WellKnown::default() };
    assert_eq!(arriving::<WellKnown>(&travelling(&null)).expect("it is one"), WellKnown::default());
}

#[test]
fn what_is_none_of_them_is_refused() {
    for (name, wrong) in [
        ("at", Value::from("yesterday")),
        ("at", 3.into()),
        ("took", "3 s".into()),
        ("object", Value::Array(Vec::new())),
    ] {
        assert!(arriving::<WellKnown>(&map([(name, wrong.clone())])).is_err(), "{name}: {wrong}");
    }
}
