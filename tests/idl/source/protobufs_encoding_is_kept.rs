//! A message has protobuf's encoding, too: the bytes are those that protobuf's own documentation and other implementations have.

use fibra_idl_tests::api::kinds::v1::{Color, Scalars, Several, Tree, WellKnown, tree};
use prost::Message;

#[test]
fn the_bytes_are_protobufs() {
    // "Encoding" in protobuf's documentation: field 3 of 150 is 18 96 01, a text of field 14 is 72, its length, itself.
    let scalars = Scalars { an_int32: 150, a_string: "testing".into(), ..Scalars::default() };
    assert_eq!(scalars.encode_to_vec(), b"\x18\x96\x01\x72\x07testing");
    let several = Several { numbers: vec![3, 270, 86942], ..Several::default() };
    assert_eq!(several.encode_to_vec(), b"\x0a\x06\x03\x8e\x02\x9e\xa7\x05");
    // google.protobuf.StringValue, BytesValue and Timestamp are messages there, whatever they are here.
    let known = WellKnown {
        some_bytes: Some(vec![7].into()),
        a_string: Some("hi".into()),
        at: Some(fibra::proto::Timestamp { seconds: 1, nanos: 2 }),
        ..WellKnown::default()
    };
    assert_eq!(known.encode_to_vec(), b"\x0a\x04\x08\x01\x10\x02\x52\x03\x0a\x01\x07\x7a\x04\x0a\x02hi");
}

#[test]
fn what_was_encoded_is_decoded() {
    let leaf = tree::Leaf { name: "oak".into(), color: 99, texture: tree::leaf::Texture::Rough.into() };
    let tree = Tree {
        left: Some(Box::new(Tree { held: Some(tree::Held::Leaf(leaf)), ..Tree::default() })),
        held: Some(tree::Held::Raw(vec![0, 255].into())),
        others: vec![Tree { held: Some(tree::Held::Nothing(fibra::proto::Empty {})), ..Tree::default() }],
        ..Tree::default()
    };
    assert_eq!(Tree::decode(tree.encode_to_vec().as_slice()), Ok(tree));
    let several = Several {
        bytes_by_number: [(-1, vec![1].into())].into(),
        messages_by_truth: [(true, Scalars::default())].into(),
        colors_by_name: [("red".to_owned(), Color::Red.into())].into(),
        colors: vec![1, 99],
        ..Several::default()
    };
    assert_eq!(Several::decode(several.encode_to_vec().as_slice()), Ok(several.clone()));
    assert!(format!("{several:?}").contains("bytes_by_number"), "it can be shown");
}
