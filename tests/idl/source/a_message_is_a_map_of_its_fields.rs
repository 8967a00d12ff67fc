//! In fibra's own encoding a message is a map by the names in the `.proto`, an enum its number, a oneof a map of one member, bytes are bytes.

use fibra::rpc::codec::Value;
use fibra_idl_tests::api::kinds::v1::{Color, Scalars, Several, Tree, tree};

use crate::support::{arriving, map, member, travelling};

#[test]
fn fields_travel_by_their_names() {
    let scalars = Scalars { a_double: 1.5, an_int64: i64::MIN, a_string: "text".into(), ..Scalars::default() };
    let value = travelling(&scalars);
    assert_eq!(value.as_map().map(Vec::len), Some(18), "{value}");
    assert_eq!(member(&value, "a_double"), &Value::from(1.5));
    assert_eq!(member(&value, "an_int64"), &Value::from(i64::MIN));
    assert_eq!(member(&value, "a_string"), &Value::from("text"));
    assert_eq!(member(&value, "perhaps"), &Value::Nil);
    assert_eq!(arriving::<Scalars>(&value).expect("it is one"), scalars);
}

#[test]
fn bytes_are_bytes_wherever_they_are() {
    let scalars =
        Scalars { some_bytes: vec![1, 255].into(), perhaps_bytes: Some(Vec::new().into()), ..Scalars::default() };
    let value = travelling(&scalars);
    assert_eq!(member(&value, "some_bytes"), &Value::Binary(vec![1, 255]));
    assert_eq!(member(&value, "perhaps_bytes"), &Value::Binary(Vec::new()));
    assert_eq!(arriving::<Scalars>(&value).expect("it is one"), scalars);

    let several =
        Several { bytes: vec![vec![7].into()], bytes_by_number: [(-1, vec![8].into())].into(), ..Several::default() };
    let value = travelling(&several);
    assert_eq!(member(&value, "bytes"), &Value::Array(vec![Value::Binary(vec![7])]));
    assert_eq!(member(&value, "bytes_by_number"), &Value::Map(vec![((-1).into(), Value::Binary(vec![8]))]));
    assert_eq!(arriving::<Several>(&value).expect("it is one"), several);

    let tree = Tree { held: Some(tree::Held::Raw(vec![9].into())), ..Tree::default() };
    assert_eq!(member(&travelling(&tree), "held"), &map([("raw", Value::Binary(vec![9]))]));
}

#[test]
fn maps_travel_in_the_order_of_their_keys() {
    let numbers = ["b", "c", "a"].map(|name| (name.to_owned(), 1));
    let several = Several { numbers_by_name: numbers.into(), ..Several::default() };
    let one = Value::from(1);
    assert_eq!(
        member(&travelling(&several), "numbers_by_name"),
        &map([("a", one.clone()), ("b", one.clone()), ("c", one)])
    );
}

#[test]
fn an_enum_is_its_number_whether_it_is_known_or_not() {
    let several = Several { colors: vec![Color::Green.into(), 99, -1], ..Several::default() };
    let value = travelling(&several);
    assert_eq!(member(&value, "colors"), &Value::Array(vec![2.into(), 99.into(), (-1).into()]));
    assert_eq!(arriving::<Several>(&value).expect("it is one").colors, [2, 99, -1]);
}

#[test]
fn an_enum_may_come_as_its_name() {
    let value = map([
        ("colors", Value::Array(vec!["COLOR_GREEN".into(), 2.into(), 99.into()])),
        ("colors_by_name", map([("grass", "COLOR_GREEN".into()), ("blood", 1.into())])),
    ]);
    let several = arriving::<Several>(&value).expect("it is one");
    assert_eq!(several.colors, [2, 2, 99]);
    assert_eq!(several.colors_by_name, [("blood".to_owned(), 1), ("grass".to_owned(), 2)].into());
    let leaf = map([("color", "COLOR_RED".into()), ("texture", "ROUGH".into())]);
    let leaf = arriving::<tree::Leaf>(&leaf).expect("it is one");
    assert_eq!((leaf.color(), leaf.texture()), (Color::Red, tree::leaf::Texture::Rough));
    let tinted = arriving::<Tree>(&map([("held", map([("tint", "COLOR_GREEN".into())]))])).expect("it is one");
    assert_eq!(tinted.held, Some(tree::Held::Tint(2)));
    assert_eq!(member(&travelling(&leaf), "color"), &Value::from(1), "what is sent is the number");

    for wrong in [map([("color", "COLOR_BLUE".into())]), map([("color", "1".into())]), map([("color", 1.5.into())])] {
        let error = arriving::<tree::Leaf>(&wrong).expect_err("there is no such value");
        assert!(matches!(error, fibra::rpc::CallError::BadArguments { .. }), "{error}");
    }
}

#[test]
fn a_oneof_is_a_map_of_its_member() {
    let leaf = tree::Leaf { name: "oak".into(), ..tree::Leaf::default() };
    let grafted = Tree { held: Some(tree::Held::Leaf(leaf)), ..Tree::default() };
    let tree =
        Tree { held: Some(tree::Held::Grafted(Box::new(grafted))), left: Some(Box::default()), ..Tree::default() };
    let value = travelling(&tree);
    let inner = member(member(member(member(&value, "held"), "grafted"), "held"), "leaf");
    assert_eq!(member(inner, "name"), &Value::from("oak"));
    assert_eq!(arriving::<Tree>(&value).expect("it is one"), tree);

    for held in [tree::Held::Label1("x".into()), tree::Held::Tint(2), tree::Held::Nothing(fibra::proto::Empty {})] {
        let tree = Tree { held: Some(held), ..Tree::default() };
        assert_eq!(arriving::<Tree>(&travelling(&tree)).expect("it is one"), tree);
    }
    for (held, name, value) in [
        (tree::Held::Label1("x".into()), "label_1", Value::from("x")),
        (tree::Held::TwoWords(2), "two_words", Value::from(2)),
    ] {
        let tree = Tree { held: Some(held), ..Tree::default() };
        assert_eq!(member(&travelling(&tree), "held"), &map([(name, value)]), "by its name in the .proto");
    }
}
