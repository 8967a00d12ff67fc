//! Names that differ in protobuf and would be one in Rust or on the wire, and such as Rust cannot say, are errors at the name.

use crate::support::Files;

/// What is said of a file of the package `p`, which begins in line 3.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let text = format!("syntax = \"proto3\";\npackage p;\n{text}\n");
    assert_eq!(Files::new(&[("api.proto", &text)]).problems("api.proto"), expected, "{text}");
}

#[test]
fn two_types() {
    check(
        "message foo_bar {}\nmessage FooBar {}",
        &["api.proto:4:9: `FooBar` and `foo_bar` would both be `FooBar` in Rust: rename one"],
    );
    check(
        "message Foo {}\nenum FOO { Z = 0; }",
        &["api.proto:4:6: `FOO` and `Foo` would both be `Foo` in Rust: rename one"],
    );
    check(
        "message A {\n  message foo {}\n  message Foo {}\n}",
        &["api.proto:5:11: `Foo` and `foo` would both be `Foo` in Rust: rename one"],
    );
}

#[test]
fn a_field_and_a_oneof_and_two_values() {
    check(
        "message A {\n  int32 Kind = 1;\n  oneof kind_ { int32 x = 2; }\n}",
        &["api.proto:5:9: `kind_` and `Kind` would both be `kind` in Rust: rename one"],
    );
    check(
        "enum Color {\n  RED = 0;\n  COLOR_RED = 1;\n}",
        &["api.proto:5:3: `COLOR_RED` and `RED` would both be `Red` in Rust: rename one"],
    );
}

#[test]
fn two_fields_that_proto2_allows() {
    let text = "syntax = \"proto2\";\nmessage A {\n  optional int32 fooBar = 1;\n  optional int32 FOO_bar = 2;\n  oneof kind {\n    int32 a_b = 3;\n    int32 A_b = 4;\n  }\n}";
    assert_eq!(
        Files::new(&[("api.proto", text)]).problems("api.proto"),
        [
            "api.proto:4:18: `FOO_bar` and `fooBar` would both be `foo_bar` in Rust: rename one",
            "api.proto:7:11: `A_b` and `a_b` would both be `AB` in Rust: rename one"
        ]
    );
}

#[test]
fn a_type_and_what_is_made_of_a_service() {
    check(
        "message Nothing {}\nservice Foo { rpc F(Nothing) returns (Nothing); }\nmessage FooClient {}",
        &["api.proto:4:9: `Foo` and `FooClient` would both be `FooClient` in Rust: rename one"],
    );
    check(
        "service Foo {}\nservice FooServer {}\nservice foo {}",
        &[
            "api.proto:4:9: `FooServer` and `Foo` would both be `FooServer` in Rust: rename one",
            "api.proto:5:9: `foo` and `Foo` would both be `Foo` in Rust: rename one",
            "api.proto:5:9: `foo` and `Foo` would both be `FooServer` in Rust: rename one",
            "api.proto:5:9: `foo` and `Foo` would both be `FooClient` in Rust: rename one",
            "api.proto:5:9: `foo` and `Foo` would both be `FooStart` in Rust: rename one",
        ],
    );
}

#[test]
fn two_methods() {
    check(
        "message A {}\nservice S {\n  rpc GetIt(A) returns (A);\n  rpc get_it(A) returns (A);\n  rpc new(A) returns (A);\n  rpc New(A) returns (A);\n}",
        &[
            "api.proto:6:7: `get_it` and `GetIt` would both be `get_it` on the wire: rename one",
            "api.proto:8:7: `New` and `new` would both be `new` on the wire: rename one",
        ],
    );
}

#[test]
fn two_modules() {
    let outer = "syntax = \"proto3\";\npackage p;\nimport \"inner.proto\";\nmessage Inner {\n  enum E { Z = 0; }\n}";
    let inner = "syntax = \"proto3\";\npackage p.inner;\nmessage M {}";
    let told =
        "outer.proto:4:9: what is within `Inner` and a package of that name would be in one module of Rust: rename one";
    assert_eq!(Files::new(&[("outer.proto", outer), ("inner.proto", inner)]).problems("outer.proto"), [told]);
    // Of a message with nothing within there is no module.
    let outer = outer.replace("enum E { Z = 0; }", "");
    Files::new(&[("outer.proto", &outer), ("inner.proto", inner)]).generate("outer.proto").expect("nothing is wrong");
}

#[test]
fn names_without_a_letter() {
    check(
        "message _ {\n  int32 __ = 1;\n}\nenum E { ___ = 0; }",
        &[
            "api.proto:3:9: `_` has no letter: it cannot be a name in Rust",
            "api.proto:4:9: `__` has no letter: it cannot be a name in Rust",
            "api.proto:6:10: `___` has no letter: it cannot be a name in Rust",
        ],
    );
    let text = "syntax = \"proto3\";\npackage a.__;\nmessage M {}";
    assert_eq!(
        Files::new(&[("api.proto", text)]).problems("api.proto"),
        ["api.proto:2:1: `__` has no letter: there is no module of that name in Rust"]
    );
}

#[test]
fn names_that_cannot_be_on_the_wire() {
    check(
        "message A {}\nservice S { rpc _1st(A) returns (A); }",
        &["api.proto:4:17: on the wire it would be `_1st`, where a word begins with a letter: rename it"],
    );
    let text = "syntax = \"proto3\";\npackage _p;\nmessage A {}\nservice S { rpc F(A) returns (A); }";
    assert_eq!(
        Files::new(&[("api.proto", text)]).problems("api.proto"),
        [
            "api.proto:4:9: on the wire it would be `_p.s`, where each word begins with a letter: rename it or its package"
        ]
    );
    let long = "L".repeat(300);
    let told = format!("api.proto:4:17: `p.s.{}`, its name on the wire, is longer than 255 bytes", "l".repeat(300));
    check(&format!("message A {{}}\nservice S {{ rpc {long}(A) returns (A); }}"), &[&told]);
}

#[test]
fn types_that_are_nowhere() {
    check(
        "import \"google/protobuf/descriptor.proto\";\nimport \"google/protobuf/type.proto\";\nmessage A {\n  google.protobuf.FileDescriptorProto file = 1;\n  map<string, google.protobuf.Type> types = 2;\n}\nservice S { rpc F(google.protobuf.Type) returns (A); }",
        &[
            "api.proto:6:39: `google.protobuf.FileDescriptorProto` has no Rust type: say where there is one (`extern_path`)",
            "api.proto:7:37: `google.protobuf.Type` has no Rust type: say where there is one (`extern_path`)",
            "api.proto:9:17: `google.protobuf.Type` has no Rust type: say where there is one (`extern_path`)",
        ],
    );
}
