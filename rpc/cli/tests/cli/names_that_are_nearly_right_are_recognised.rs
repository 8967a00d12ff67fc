//! A service or method that there is not brings up those that may have been meant; one that is named without its service is found.

use fibra::rpc::server::Builder;

use crate::support::{serve, serve_with};

#[test]
fn near_names_are_told() {
    let server = serve();
    let told = server.call(&["calculator.ad", "3", "5"]);
    told.fails(5, &["the server has no method `calculator.ad`; did you mean `calculator.add`?"]);
    server.call(&["Calculator.Add", "3", "5"]).fails(5, &["did you mean `calculator.add`?"]);
    server.call(&["inventory.list"]).fails(5, &["no method `inventory.list`; `fibra list`"]);
    let told = server.run("describe", &["calculater"]);
    told.fails(
        5,
        &[
            "no service `calculater`; did you mean `calculator`?",
            "it serves calculator, fibra.health, fibra.reflection",
        ],
    );
    server.run("describe", &["calculator.dvide"]).fails(5, &["did you mean `calculator.divide`?"]);
}

#[test]
fn a_method_that_only_one_service_has_needs_no_service() {
    let server = serve();
    server.call(&["add", "3", "5"]).prints("8\n");
    let with = |server: Builder| server.method("other.add", |(a, b): (i64, i64)| a - b).method("bare", |()| 1);
    let server = serve_with(with);
    server.call(&["add", "3", "5"]).fails(5, &["several services have a method `add`: `calculator.add`, `other.add`"]);
    server.call(&["other.add", "3", "5"]).prints("-2\n");
    server.call(&["bare"]).prints("1\n");
}
