//! A value is printed as one line of JSON, whatever its type; `()` and one-way calls print nothing.

use crate::support::{run, serve};

#[test]
fn numbers_text_bytes_and_structs() {
    let server = serve();
    server.call(&["calculator.add", "3", "5"]).prints("8\n");
    server.call(&["calculator.add", "-3", "-5", "--timeout", "5s"]).prints("-8\n");
    server.call(&["calculator.measure", "héllo", "null"]).prints("[\"héllo\",6]\n");
    server.call(&["calculator.reverse", "AAEC"]).prints("\"AgEA\"\n");
    let order = r#"{"id":7,"colour":{"Rgb":[1,2,3]},"notes":["a","b"]}"#;
    server.call(&["calculator.place", order]).prints(&format!("{order}\n"));
}

#[test]
fn nothing_for_those_that_return_nothing() {
    let server = serve();
    server.call(&["calculator.wait", "0"]).prints("");
    server.call(&["calculator.note", "hello"]).prints("");
}

#[test]
fn a_methods_own_error_goes_to_the_other_output() {
    let server = serve();
    server.call(&["calculator.divide", "7", "2"]).prints("3\n");
    let failed = server.call(&["calculator.divide", "7", "0"]);
    failed.fails(1, &["calculator.divide: the method's own error: \"DividedByZero\"\n"]);
}

#[test]
fn arguments_are_given_by_name_or_in_order_as_json() {
    let server = serve();
    for json in [r#"{"b": 2, "a": 7}"#, "[7, 2]"] {
        server.call(&["calculator.divide", "--json", json]).prints("3\n");
        server.call(&["calculator.divide", "--args", json]).prints("3\n");
    }
    server.call(&["calculator.measure", "--json", r#"{"text": "abc"}"#]).prints("[\"abc\",3]\n");
}

#[test]
fn help_says_what_there_is() {
    let help = run(&["--help"]);
    assert!(help.code == 0 && help.out.contains("call") && help.out.contains("Exit codes"), "{help:?}");
    let version = run(&["--version"]);
    version.prints(&format!("fibra {}\n", env!("CARGO_PKG_VERSION")));
}
