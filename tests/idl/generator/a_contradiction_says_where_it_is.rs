//! Options that contradict each other, or the method that has them, are errors at the option.

use crate::support::Files;

/// What is said of a method with these options, the first of which is in line 7.
#[track_caller]
fn check(method: &str, options: &[&str], expected: &[&str]) {
    let options: String = options.iter().map(|option| format!("    option {option};\n")).collect();
    let text = format!(
        "syntax = \"proto3\";\npackage p;\nimport \"fibra/options.proto\";\nimport \"google/protobuf/empty.proto\";\n\
         service S {{\n  rpc {method} {{\n{options}  }}\n}}\nmessage A {{}}\nenum E {{ Z = 0; }}\n"
    );
    assert_eq!(Files::new(&[("api.proto", &text)]).problems("api.proto"), expected, "{text}");
}

const UNARY: &str = "F(A) returns (A)";
const TO_EMPTY: &str = "F(A) returns (google.protobuf.Empty)";

#[test]
fn a_maybe_method_returns_nothing() {
    check(
        UNARY,
        &["(fibra.maybe) = true"],
        &["api.proto:7:5: fibra.maybe: no reply is awaited: a `maybe` method returns google.protobuf.Empty"],
    );
    check(
        TO_EMPTY,
        &["(fibra.maybe) = true", "(fibra.error) = \"A\""],
        &["api.proto:8:5: fibra.error: no reply is awaited: a `maybe` method has no error"],
    );
}

#[test]
fn a_method_has_one_semantics() {
    check(
        TO_EMPTY,
        &["idempotency_level = IDEMPOTENT", "(fibra.maybe) = true"],
        &["api.proto:8:5: fibra.maybe: a method is either `IDEMPOTENT` or `maybe`: remove one"],
    );
    let once =
        "only methods that run at most once (the default) can be ordered: to keep the order is to know what has run";
    check(
        UNARY,
        &["idempotency_level = NO_SIDE_EFFECTS", "(fibra.ordered) = true"],
        &[&format!("api.proto:8:5: fibra.ordered: {once}")],
    );
    check(
        TO_EMPTY,
        &["(fibra.maybe) = true", "(fibra.lane) = \"a\""],
        &[&format!("api.proto:8:5: fibra.lane: {once}")],
    );
}

#[test]
fn a_stream_is_sent_once_and_in_no_order() {
    check(
        "F(stream A) returns (A)",
        &["(fibra.ordered) = true"],
        &["api.proto:7:5: fibra.ordered: a call that streams is in no order: remove the option"],
    );
    check(
        "F(A) returns (stream google.protobuf.Empty)",
        &["(fibra.maybe) = true"],
        &["api.proto:7:5: fibra.maybe: a call that streams is sent once and answered: remove `maybe`"],
    );
}

#[test]
fn a_lane_is_one_word() {
    for lane in ["", "two words", "1st", "a.b"] {
        check(
            UNARY,
            &[&format!("(fibra.lane) = \"{lane}\"")],
            &["api.proto:7:5: fibra.lane: a lane's name is one word, such as \"accounts\""],
        );
    }
}

#[test]
fn an_error_is_a_message() {
    for none in ["Nothing", "E", ".A", ""] {
        let told = format!("api.proto:7:5: fibra.error: there is no message `{none}` here: is it imported?");
        check(UNARY, &[&format!("(fibra.error) = \"{none}\"")], &[&told]);
    }
    check(
        UNARY,
        &["(fibra.error) = \"A\"", "(fibra.infallible) = true"],
        &["api.proto:8:5: fibra.infallible: a method either has an error or none: remove one"],
    );
    let text = "syntax = \"proto3\";\nimport \"fibra/options.proto\";\nservice S {\n  option (fibra.service_error) = \"X\";\n  rpc F(A) returns (A);\n  rpc G(A) returns (A);\n}\nmessage A {}";
    assert_eq!(
        Files::new(&[("api.proto", text)]).problems("api.proto"),
        ["api.proto:4:3: fibra.service_error: there is no message `X` here: is it imported?"]
    );
}

#[test]
fn an_option_that_says_no_says_nothing() {
    let text = "syntax = \"proto3\";\nimport \"fibra/options.proto\";\nservice S {\n  rpc F(A) returns (A) {\n    option (fibra.maybe) = false;\n    option (fibra.ordered) = false;\n  }\n}\nmessage A {}";
    let generated = Files::new(&[("api.proto", text)]).generate("api.proto").expect("nothing is wrong");
    assert!(!crate::support::source(&generated, "mod.rs").contains("#[rpc"));
}
