//! Files that protobuf's rules forbid are errors with file, line and column.

use std::path::Path;

use fibra_idl::{Error, Generator};

use crate::support::Files;

/// What is said of a file that begins with `syntax = "proto3";` in a line of its own, and of those beside it.
#[track_caller]
fn check(text: &str, beside: &[(&str, &str)], expected: &[&str]) {
    let text = format!("syntax = \"proto3\";\n{text}");
    let mut files = vec![("api.proto", text.as_str())];
    files.extend_from_slice(beside);
    assert_eq!(Files::new(&files).problems("api.proto"), expected, "{text}");
}

#[test]
fn a_syntax_error() {
    check("message A {\n  int32 a 1;\n}", &[], &["api.proto:3:11: expected '=', but found '1'"]);
    check(
        "message A {\n  string s = 1;\n",
        &[],
        &[
            "api.proto:3:16: expected a message field, oneof, reserved range, enum, message, option or '}', but reached end of file",
        ],
    );
    check("message A { string s = 1 [json_name = \"\\q\"]; }", &[], &["api.proto:2:40: invalid string escape"]);
    check("message A { group G = 1 {} }", &[], &["api.proto:2:13: groups are not allowed in proto3 syntax"]);
}

#[test]
fn an_unknown_syntax() {
    assert_eq!(
        Files::new(&[("api.proto", "\nedition = \"2023\";\n")]).problems("api.proto"),
        [
            "api.proto:2:1: expected 'enum', 'extend', 'import', 'message', 'option', 'service', 'package' or ';', but found 'edition'"
        ]
    );
    assert_eq!(
        Files::new(&[("api.proto", "syntax = \"proto4\";")]).problems("api.proto"),
        ["api.proto:1:10: unknown syntax 'proto4'; possible values are 'proto2' and 'proto3'"]
    );
}

#[test]
fn an_unknown_import() {
    check("\nimport \"nowhere.proto\";", &[], &["api.proto:3:1: import 'nowhere.proto' not found"]);
    let inner = ("inner.proto", "syntax = \"proto3\";\nimport  \"nowhere.proto\";");
    check("import \"inner.proto\";", &[inner], &["inner.proto:2:1: import 'nowhere.proto' not found"]);
}

#[test]
fn imports_in_a_circle() {
    let other = ("other.proto", "syntax = \"proto3\";\nimport \"api.proto\";");
    check(
        "\nimport \"other.proto\";",
        &[other],
        &["api.proto:3:8: import cycle detected: api.proto -> other.proto -> api.proto"],
    );
    check("import \"api.proto\";", &[], &["api.proto:2:8: import cycle detected: api.proto -> api.proto"]);
}

#[test]
fn an_error_in_an_import() {
    check(
        "import \"sub/inner.proto\";",
        &[("sub/inner.proto", "syntax = \"proto3\";\n\n  message {}")],
        &["sub/inner.proto:3:11: expected an identifier, but found '{'"],
    );
}

#[test]
fn a_name_that_is_there_twice() {
    check("message A {}\nenum A { Z = 0; }", &[], &["api.proto:3:6: name 'A' is defined twice"]);
    check(
        "message A {\n  int32 a = 1;\n  int32 a = 2;\n}",
        &[],
        &[
            "api.proto:4:9: camel-case name of field 'a' conflicts with field 'a'",
            "api.proto:4:9: name 'A.a' is defined twice",
        ],
    );
    check(
        "service S {\n  rpc F(A) returns (A);\n  rpc F(A) returns (A);\n}\nmessage A {}",
        &[],
        &["api.proto:4:7: name 'S.F' is defined twice"],
    );
    let other = ("other.proto", "syntax = \"proto3\";\nmessage A {}");
    check(
        "import \"other.proto\";\nmessage A {}",
        &[other],
        &["api.proto:3:9: name 'A' is already defined in file 'other.proto'"],
    );
}

#[test]
fn a_number_that_is_taken() {
    check("message A {\n  int32 a = 1;\n  int32 b = 1;\n}", &[], &["api.proto:4:13: field number '1' is already used"]);
    check(
        "message A {\n  reserved 2 to 4;\n  int32 a = 3;\n}",
        &[],
        &["api.proto:4:13: field number '3' conflicts with reserved range '2 to 4'"],
    );
    check("message A {\n  int32 a = 0;\n}", &[], &["api.proto:3:13: message numbers must be between 1 and 536870911"]);
    check(
        "message A {\n  int32 a = 19000;\n}",
        &[],
        &["api.proto:3:13: invalid field number '19000'; field numbers 19000 to 19999 are reserved"],
    );
    check(
        "enum E {\n  A = 0;\n  B = 0;\n}",
        &[],
        &[
            "api.proto:4:7: enum number '0' has already been used; set the 'allow_alias' option allow re-using enum numbers",
        ],
    );
}

#[test]
fn a_type_that_is_not_there() {
    check("message A {\n  B b = 1;\n}", &[], &["api.proto:3:3: name 'B' is not defined"]);
    check(
        "service S {\n  rpc F(A) returns (Nothing);\n}\nmessage A {}",
        &[],
        &["api.proto:3:21: name 'Nothing' is not defined"],
    );
    check(
        "service S {\n  rpc F(E) returns (A);\n}\nmessage A {}\nenum E { Z = 0; }",
        &[],
        &["api.proto:3:9: 'E' is not a message type"],
    );
    check(
        "message A {\n  google.protobuf.Timestamp at = 1;\n}",
        &[],
        &["api.proto:3:3: name 'google.protobuf.Timestamp' is not defined"],
    );
}

#[test]
fn an_option_that_is_none() {
    let service = |option: &str| {
        format!(
            "import \"fibra/options.proto\";\nservice S {{\n  rpc F(A) returns (A) {{\n    option {option};\n  }}\n}}\nmessage A {{}}"
        )
    };
    check(
        &service("idempotency_level = SOMETIMES"),
        &[],
        &[
            "api.proto:5:5: expected a value of type 'google.protobuf.MethodOptions.IdempotencyLevel' for option 'idempotency_level', but found 'SOMETIMES'",
        ],
    );
    check(
        &service("(fibra.maybe) = \"yes\""),
        &[],
        &["api.proto:5:5: expected a value of type 'bool' for option '(fibra.maybe)', but found '\"yes\"'"],
    );
    check(
        &service("(fibra.often) = true"),
        &[],
        &[
            "api.proto:5:5: 'fibra.often' resolves to 'fibra.often', which is not defined; The innermost scope is searched first in name resolution. Consider using a leading '.' (i.e., '.fibra.often') to start from the outermost scope.",
        ],
    );
    check(
        &service("(fibra.service_error) = \"A\""),
        &[],
        &[
            "api.proto:5:5: expected an extension to type 'google.protobuf.MethodOptions', but 'fibra.service_error' extends 'google.protobuf.ServiceOptions'",
        ],
    );
    let without = service("(fibra.maybe) = true").replace("import \"fibra/options.proto\";", "");
    check(&without, &[], &["api.proto:5:5: name 'fibra.maybe' is not defined"]);
}

#[test]
fn a_file_that_is_not_there_or_not_within() {
    let error = Generator::new().generate(&["no/such.proto"]).expect_err("there is none");
    assert!(matches!(&error, Error::Read { path, .. } if path == Path::new("no/such.proto")), "{error}");
    assert!(error.to_string().starts_with("cannot read no/such.proto: "), "{error}");

    let files = Files::new(&[("in/empty.proto", ""), ("out/api.proto", "syntax = \"proto3\";")]);
    let out = files.path("out/api.proto");
    let error = Generator::new().include(files.path("in")).generate(&[&out]).expect_err("it is elsewhere");
    assert_eq!(error.to_string(), format!("{0}:1:1: file '{0}' is not in any include path", out.display()));
}

#[test]
fn a_file_may_be_named_as_it_is_imported() {
    let files = Files::new(&[("in/shop/api.proto", "syntax = \"proto3\";\npackage shop;\nmessage {}\n")]);
    let error =
        Generator::new().include(files.path("in")).generate(&["shop/api.proto"]).expect_err("a name is missing");
    let path = files.path("in/shop/api.proto");
    assert_eq!(error.to_string(), format!("{}:3:9: expected an identifier, but found '{{'", path.display()));
    assert_eq!(format!("{error:?}"), error.to_string(), "as a build script shows it");
}

#[test]
fn a_file_that_is_no_text() {
    let files = Files::new(&[]);
    std::fs::write(files.path("api.proto"), b"syntax = \"proto3\"; \xff").expect("a file");
    assert_eq!(files.problems("api.proto"), ["api.proto:1:1: file 'api.proto' is not valid utf-8"]);
}

#[test]
fn all_errors_of_a_file_at_once() {
    check(
        "message A {\n  B b = 1;\n  C c = 2;\n}",
        &[],
        &["api.proto:3:3: name 'B' is not defined", "api.proto:4:3: name 'C' is not defined"],
    );
}
