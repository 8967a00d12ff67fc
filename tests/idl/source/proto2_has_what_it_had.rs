//! proto2: what is required is there, defaults are what the file says, groups are messages.

use fibra_idl_tests::api::kinds::old::{Mood, Old, old};
use prost::Message;

use crate::support::{arriving, map, travelling};

#[test]
fn defaults_are_those_of_the_file() {
    let old = arriving::<Old>(&map([])).expect("what is required has its default, too");
    assert_eq!((old.seven, old.seven()), (None, 7));
    assert_eq!((old.text(), old.raw()), ("a \"text\"\n", &[1, 255][..]));
    assert_eq!((old.mood(), old.must_mood), (Mood::Good, Mood::Good as i32));
    assert!(old.infinite().is_infinite() && old.none().is_nan());
    assert!((old.less() + 1.5).abs() < f32::EPSILON);
}

#[test]
fn both_encodings_give_back_what_they_got() {
    let old = Old {
        must: 1,
        may: Some(0),
        raw: Some(vec![3].into()),
        mood: Some(-1),
        packed: vec![1, 2],
        loose: vec![3, 4],
        part: Some(old::Part { size: Some(5) }),
        parts: vec![old::Parts { inner: Old { must: 6, ..Old::default() } }],
        one: Some(old::One::B("b".into())),
        ..Old::default()
    };
    assert_eq!(arriving::<Old>(&travelling(&old)).expect("it is one"), old);
    assert_eq!(Old::decode(old.encode_to_vec().as_slice()), Ok(old));
}

#[test]
fn its_enums_have_names_too() {
    let old =
        arriving::<Old>(&map([("mood", "MOOD_BAD".into()), ("must_mood", "MOOD_GOOD".into())])).expect("it is one");
    assert_eq!((old.mood, old.must_mood), (Some(-1), 1));
    let old = arriving::<Old>(&map([("mood", "MOOD_FINE".into())])).expect("it is one");
    assert_eq!(old.mood, Some(1), "a number may have several");
    let old = arriving::<Old>(&map([("mood", fibra::rpc::codec::Value::Nil)])).expect("it is one");
    assert_eq!(old.mood, None);
}
