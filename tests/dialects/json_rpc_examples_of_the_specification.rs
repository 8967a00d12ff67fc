//! Every example of the JSON-RPC 2.0 specification's section 7: what is answered is what it says, byte for byte but for blanks and the order of members.

use fibra::rpc::Server;
use fibra::rpc::codec::Value;

use crate::support::json::same;
use crate::support::peer::Peer;
use crate::support::{LOOPBACK, on_one_worker};

#[fibra::service]
trait Examples {
    fn subtract(&self, minuend: i64, subtrahend: i64) -> i64;
    fn get_data(&self) -> (String, i64);
}

struct Mathematics;

impl Examples for Mathematics {
    fn subtract(&self, minuend: i64, subtrahend: i64) -> i64 {
        minuend - subtrahend
    }

    fn get_data(&self) -> (String, i64) {
        ("hello".to_owned(), 5)
    }
}

fn serve() -> Server {
    let sum = |numbers: Vec<Value>| numbers.iter().filter_map(Value::as_i64).sum::<i64>();
    Server::builder()
        .service(ExamplesServer::new(Mathematics))
        .method("sum", sum)
        .method("update", |_: Vec<Value>| ())
        .method("notify_hello", |_: Vec<Value>| ())
        .bind(LOOPBACK)
        .expect("a free port")
}

/// Sends what the client (`-->`) does, and compares all that comes back; the order of a batch's answers is free.
fn is_answered(asked: &str, expected: Option<&str>) {
    on_one_worker(|| {
        let server = serve();
        let mut peer = Peer::connect(&server);
        peer.send(asked);
        peer.finish();
        let answer = String::from_utf8(peer.rest()).expect("JSON is UTF-8");
        match expected {
            None => assert_eq!(answer, "", "{asked}"),
            Some(expected) => assert!(same(&answer, expected), "{asked}\n{answer}\n{expected}"),
        }
    });
}

#[test]
fn rpc_call_with_positional_parameters() {
    is_answered(
        r#"{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}"#,
        Some(r#"{"jsonrpc": "2.0", "result": 19, "id": 1}"#),
    );
    is_answered(
        r#"{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}"#,
        Some(r#"{"jsonrpc": "2.0", "result": -19, "id": 2}"#),
    );
}

#[test]
fn rpc_call_with_named_parameters() {
    is_answered(
        r#"{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}"#,
        Some(r#"{"jsonrpc": "2.0", "result": 19, "id": 3}"#),
    );
    is_answered(
        r#"{"jsonrpc": "2.0", "method": "subtract", "params": {"minuend": 42, "subtrahend": 23}, "id": 4}"#,
        Some(r#"{"jsonrpc": "2.0", "result": 19, "id": 4}"#),
    );
}

#[test]
fn a_notification() {
    is_answered(r#"{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}"#, None);
    is_answered(r#"{"jsonrpc": "2.0", "method": "foobar"}"#, None);
}

#[test]
fn rpc_call_of_non_existent_method() {
    is_answered(
        r#"{"jsonrpc": "2.0", "method": "foobar", "id": "1"}"#,
        Some(r#"{"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "1"}"#),
    );
}

#[test]
fn rpc_call_with_invalid_json() {
    is_answered(
        r#"{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]"#,
        Some(r#"{"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": null}"#),
    );
}

#[test]
fn rpc_call_with_invalid_request_object() {
    is_answered(
        r#"{"jsonrpc": "2.0", "method": 1, "params": "bar"}"#,
        Some(r#"{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}"#),
    );
}

#[test]
fn rpc_call_batch_invalid_json() {
    is_answered(
        r#"[
  {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
  {"jsonrpc": "2.0", "method"
]"#,
        Some(r#"{"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": null}"#),
    );
}

#[test]
fn rpc_call_with_an_empty_array() {
    is_answered(
        "[]",
        Some(r#"{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}"#),
    );
}

#[test]
fn rpc_call_with_an_invalid_batch_but_not_empty() {
    is_answered(
        "[1]",
        Some(
            r#"[
  {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}
]"#,
        ),
    );
}

#[test]
fn rpc_call_with_invalid_batch() {
    is_answered(
        "[1,2,3]",
        Some(
            r#"[
  {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},
  {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},
  {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}
]"#,
        ),
    );
}

#[test]
fn rpc_call_batch() {
    is_answered(
        r#"[
        {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
        {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
        {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
        {"foo": "boo"},
        {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
        {"jsonrpc": "2.0", "method": "get_data", "id": "9"}
    ]"#,
        Some(
            r#"[
        {"jsonrpc": "2.0", "result": 7, "id": "1"},
        {"jsonrpc": "2.0", "result": 19, "id": "2"},
        {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},
        {"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "5"},
        {"jsonrpc": "2.0", "result": ["hello", 5], "id": "9"}
    ]"#,
        ),
    );
}

#[test]
fn rpc_call_batch_all_notifications() {
    is_answered(
        r#"[
        {"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},
        {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}
    ]"#,
        None,
    );
}
