//! `list` and `describe` print what the server tells: as a trait would have it, or as JSON.

use crate::support::serve;

#[test]
fn services_are_listed() {
    let server = serve();
    server.run("list", &[]).prints("calculator\nfibra.health\nfibra.reflection\n");
    server.run("list", &["--json"]).prints("[\"calculator\",\"fibra.health\",\"fibra.reflection\"]\n");
}

#[test]
fn a_service_is_described() {
    let server = serve();
    let described = server.run("describe", &["calculator"]);
    assert_eq!((described.code, &*described.err), (0, ""));
    for line in [
        "/// What the tests call.",
        "service calculator {",
        "    /// The sum.",
        "    idempotent add(a: i64, b: i64) -> i64;",
        "    divide(a: i64, b: i64) -> Result<i64, Undefined>;",
        "    maybe note(text: String);",
        "    shout(Receiver<String>, Sender<String>) -> Result<u64, StreamError>;",
        "}",
    ] {
        assert!(described.out.lines().any(|printed| printed == line), "no `{line}` in {}", described.out);
    }
    let json = server.run("describe", &["calculator", "--json"]).out;
    assert!(json.starts_with("{\"name\":\"calculator\",") && json.ends_with("}\n"), "{json}");
}

#[test]
fn a_method_is_described() {
    let server = serve();
    server.run("describe", &["calculator.add"]).prints("/// The sum.\nidempotent add(a: i64, b: i64) -> i64\n");
    let json = server.run("describe", &["calculator.add", "--json"]).out;
    assert!(json.starts_with("{\"full_name\":\"calculator.add\","), "{json}");
}
