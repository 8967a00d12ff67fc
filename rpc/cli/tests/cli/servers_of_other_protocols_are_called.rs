//! An address that names a protocol is that of a server which need not be fibra's. A fibra server's port speaks them all.

use crate::support::{Served, nobody, run, serve};

const PROTOCOLS: [&str; 4] = ["msgpack-rpc", "jsonrpc", "lsp", "http"];

fn on_each(f: impl Fn(&Served, &str, &str)) {
    let server = serve();
    for protocol in PROTOCOLS {
        f(&server, protocol, &format!("{protocol}://{}", server.addr()));
    }
}

#[test]
fn values_are_printed() {
    on_each(|_, _, url| {
        run(&["call", url, "calculator.add", "3", "5"]).prints("8\n");
        run(&["call", url, "calculator.measure", "héllo", "null"]).prints("[\"héllo\",6]\n");
        run(&["call", url, "calculator.add", "--json", "[3, 5]"]).prints("8\n");
        run(&["call", url, "calculator.wait", "0"]).prints("null\n");
    });
}

#[test]
fn arguments_have_names_in_json_rpc() {
    on_each(|_, protocol, url| {
        let ran = run(&["call", url, "calculator.divide", "--json", "{\"b\": 2, \"a\": 7}"]);
        match protocol {
            "msgpack-rpc" => ran.fails(5, &["takes arguments as an array"]),
            _ => ran.prints("3\n"),
        }
    });
}

#[test]
fn exit_codes_are_those_of_all_calls() {
    on_each(|_, protocol, url| {
        run(&["call", url, "calculator.divide", "1", "0"]).fails(1, &["DividedByZero", "it has run"]);
        run(&["call", url, "calculator.multiply", "1"]).fails(5, &["calculator.multiply", "it has not run"]);
        run(&["call", url, "calculator.add", "1"]).fails(5, &["it has not run"]);
        run(&["call", url, "calculator.wait", "60", "--timeout", "100ms"]).fails(4, &["no reply within 100ms"]);
        let nobody = format!("{protocol}://{}", nobody());
        run(&["call", &nobody, "x"]).fails(3, &["connection refused"]);
    });
}

#[test]
fn what_their_protocols_cannot_say_is_refused() {
    on_each(|_, _, url| {
        run(&["call", url, "x", "--metadata", "a=b"]).fails(2, &["--metadata goes with calls of fibra servers only"]);
        run(&["call", url, "x", "--retry", "1"]).fails(2, &["--retry is for calls of fibra servers"]);
        run(&["call", url, "x", "--json", "3"]).fails(2, &["--args takes a JSON object"]);
        run(&["list", url]).fails(2, &["only `fibra call` takes a protocol"]);
        run(&["bench", url, "x"]).fails(2, &["only `fibra call` takes a protocol"]);
    });
}

#[test]
fn what_is_no_address_is_told() {
    for (url, problem) in [
        ("https://localhost/", "there are msgpack-rpc, jsonrpc, lsp and http"),
        ("jsonrpc://localhost", "it has no port"),
        ("jsonrpc://localhost:7/x", "its protocol has no paths"),
        ("http://", "it has no host"),
    ] {
        run(&["call", url, "x"]).fails(2, &[url, problem]);
    }
}
