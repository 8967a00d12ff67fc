//! Without reflection there are no types: words are JSON if they are some, and arguments have no names. So it is with closures that take anything.

use fibra::rpc::codec::Value;

use crate::support::serve_with;

#[test]
fn words_are_json_if_they_are_some() {
    let server = serve_with(|server| server.reflection(false));
    server.call(&["calculator.add", "3", "5"]).prints("8\n");
    server.call(&["calculator.measure", "hello", "null"]).prints("[\"hello\",5]\n");
    server.call(&["calculator.add", "--json", "[3, 5]"]).prints("8\n");
    server.call(&["calculator.add", "--json", "{\"a\": 3}"]).fails(2, &["does not tell the names of its arguments"]);
    server.call(&["calculator.add", "3", "x"]).fails(5, &["the arguments do not fit the method", "it has not run"]);
    server.call(&["calculator.ad", "3", "5"]).fails(5, &["calculator.ad", "it has not run"]);
    for (command, words) in [("list", &[][..]), ("describe", &["calculator"])] {
        server.run(command, words).fails(5, &["its reflection is switched off"]);
    }
}

#[test]
fn a_closure_takes_as_many_as_it_likes() {
    let server = serve_with(|server| server.method("loose.len", |values: Vec<Value>| values.len() as u64));
    server.call(&["loose.len"]).prints("0\n");
    server.call(&["loose.len", "1", "x", "[2]"]).prints("3\n");
    server.call(&["loose.len", "--json", "{\"a\": 1}"]).fails(2, &["its arguments have no names"]);
}
