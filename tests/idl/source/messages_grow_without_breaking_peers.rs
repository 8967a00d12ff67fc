//! Fields, members and values of enums come and go, as in protobuf: peers of other versions go on.

use fibra::rpc::codec::Value;
use fibra::rpc::{CallError, Executed};
use fibra_idl_tests::api::kinds::v1::{Scalars, Tree, tree};

use crate::support::{arriving, map};

#[test]
fn a_missing_field_has_its_default() {
    assert_eq!(arriving::<Scalars>(&map([])).expect("all have"), Scalars::default());
    let some = arriving::<Scalars>(&map([("perhaps", 0.into())])).expect("all others have");
    assert_eq!(some, Scalars { perhaps: Some(0), ..Scalars::default() });
}

#[test]
fn an_unknown_field_is_skipped() {
    let value = map([("of_a_later_version", map([("x", Value::Array(vec![1.into()]))])), ("a_bool", true.into())]);
    assert_eq!(arriving::<Scalars>(&value).expect("it is skipped"), Scalars { a_bool: true, ..Scalars::default() });
}

#[test]
fn an_unknown_member_leaves_its_oneof_unset() {
    let value =
        map([("held", map([("of_a_later_version", map([("x", 1.into())]))])), ("others", Value::Array(vec![map([])]))]);
    let tree = arriving::<Tree>(&value).expect("it is skipped");
    assert_eq!(tree, Tree { others: vec![Tree::default()], ..Tree::default() });
}

#[test]
fn what_does_not_fit_is_refused_before_the_method_runs() {
    for wrong in [
        map([("an_int32", "three".into())]),
        map([("an_int32", (1_u64 << 40).into())]),
        map([("a_string", Value::Binary(vec![255]))]),
        Value::from(3),
    ] {
        let error = arriving::<Scalars>(&wrong).expect_err("it does not fit");
        assert!(matches!(error, CallError::BadArguments { .. }), "{error}");
        assert_eq!(error.executed(), Executed::No);
    }
    let two = map([("held", map([("tint", 1.into()), ("label_1", "x".into())]))]);
    assert!(arriving::<Tree>(&two).is_err(), "a oneof has one member");
}

#[test]
fn a_message_may_also_come_as_its_fields_in_order() {
    // serde's derived code takes arrays for structs; what is sent are maps.
    let leaf = Value::Array(vec!["oak".into(), 1.into(), 0.into()]);
    assert_eq!(arriving::<tree::Leaf>(&leaf).expect("a leaf").name, "oak");
}
