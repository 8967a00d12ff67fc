//! The types that the server tells decide what a word is; one that does not fit is refused before the call, by the name of its argument.

use crate::support::serve;

#[test]
fn what_looks_like_a_number_is_text_where_text_is_wanted() {
    let server = serve();
    server.call(&["calculator.measure", "3", "true"]).prints("[\"3true\",5]\n");
    server.call(&["calculator.measure", "\"3\"", "null"]).prints("[\"3\",1]\n");
    // A shell's `--` is ours, too.
    server.call(&["calculator.measure", "--", "-x", "--y"]).prints("[\"-x--y\",5]\n");
}

#[test]
fn what_does_not_fit_is_named() {
    let server = serve();
    let signature = "idempotent add(a: i64, b: i64) -> i64";
    let cases: [(&[&str], &[&str]); 10] = [
        (&["calculator.add", "3", "five"], &["argument `b: i64`: expected i64, got \"five\"", signature]),
        (&["calculator.add", "3", "5.5"], &["argument `b: i64`: expected i64, got 5.5"]),
        (&["calculator.add", "9223372036854775808", "5"], &["argument `a: i64`: expected i64, which is from -9223"]),
        (&["calculator.add", "3"], &["it takes 2 arguments, not 1", signature]),
        (&["calculator.add", "3", "5", "7"], &["it takes 2 arguments, not 3", signature]),
        (&["calculator.add", "--json", "{\"a\": 3}"], &["argument `b: i64` is missing"]),
        (&["calculator.measure", "--json", "{\"txt\": \"x\"}"], &["it has no argument `txt`; did you mean `text`?"]),
        (&["calculator.add", "--json", "{\"a\": 3,"], &["--args is not JSON: EOF"]),
        (&["calculator.add", "--json", "3"], &["--args takes a JSON object, by name, or an array"]),
        (&["calculator.reverse", "?!"], &["argument `bytes: Vec<u8>`: expected bytes", "base64"]),
    ];
    for (words, parts) in cases {
        server.call(words).fails(2, parts);
    }
}

/// A user's struct is known to the server only: it says what does not fit.
#[test]
fn of_types_that_are_not_known_the_server_is_the_judge() {
    let server = serve();
    server.call(&["calculator.place", r#"{"id": 7}"#]).fails(5, &["missing field `colour`", "it has not run"]);
    server.call(&["calculator.place", r#"{"id": 7"#]).fails(2, &["argument `order: Order`", "JSON with a mistake"]);
}
