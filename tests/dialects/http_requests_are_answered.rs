//! HTTP/1.1: JSON-RPC by POST, calls by path, health and metrics, one request after the other on a connection.

use fibra::rpc::health::Status;
use fibra::rpc::{Limits, Request, Server};
use serde_json::json;

use crate::support::http::{get, post, post_with};
use crate::support::peer::Peer;
use crate::support::{on_one_worker, serve, serve_with};

#[test]
fn json_rpc_by_post() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut peer = Peer::connect(&server);
        let answer = peer.request(&post("/", r#"{"jsonrpc":"2.0","method":"add","params":[3,5],"id":"x"}"#));
        assert_eq!((answer.status, answer.json()), (200, json!({"jsonrpc": "2.0", "result": 8, "id": "x"})));
        let batch =
            r#"[{"jsonrpc":"2.0","method":"add","params":[3,5],"id":1},{"jsonrpc":"2.0","method":"no","id":2}]"#;
        let answer = peer.request(&post("/?x", batch)).json();
        assert_eq!((&answer[0]["result"], &answer[1]["error"]["code"]), (&json!(8), &json!(-32601)));
        let silent = peer.request(&post("/", r#"{"jsonrpc":"2.0","method":"count_up"}"#));
        assert_eq!((silent.status, silent.body.len()), (200, 0));
        let wrong = peer.request(&post("/", "{]"));
        assert_eq!((wrong.status, wrong.json()["error"]["code"].clone()), (200, json!(-32700)), "it goes on");
        let go = peer.request(&post("/", r#"{"method":"add","params":[[3,5]],"id":1}"#));
        assert_eq!(go.json()["error"]["code"], -32600, "over HTTP there is version 2.0 only");
        assert_eq!(peer.request(&post("/", r#"{"jsonrpc":"2.0","method":"count_up","id":1}"#)).json()["result"], 2);
    });
}

#[test]
fn on_another_path_if_told_so() {
    on_one_worker(|| {
        let (server, _) = serve_with(Server::builder().json_rpc_path("/rpc"));
        let mut peer = Peer::connect(&server);
        let call = r#"{"jsonrpc":"2.0","method":"add","params":[3,5],"id":1}"#;
        assert_eq!(peer.request(&post("/rpc", call)).json()["result"], 8);
        assert_eq!(peer.request(&post("/", call)).status, 404);
    });
}

#[test]
fn a_call_by_its_path() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut peer = Peer::connect(&server);
        for path in ["/calculator/add", "/Calculator/Add", "/calculator.add", "/add", "http://a/calculator/add?x=y"] {
            for json in ["[3,5]", r#"{"b":5,"a":3}"#] {
                let answer = peer.request(&post(path, json));
                assert_eq!((answer.status, &answer.body[..]), (200, &b"8"[..]), "{path} {json}");
            }
        }
        assert_eq!(peer.request(&post("/calculator/count_up", "")).json(), json!(1));
        assert_eq!(peer.request(&post("/calculator/count_up", "[]")).json(), json!(2));
        let note = json!({"text": "a", "ratio": 0.1, "tags": []});
        assert_eq!(peer.request(&post("/calculator/echo", &note.to_string())).json(), note, "the one argument");
        assert_eq!(peer.request(&post("/calculator/blanks", "3")).json(), json!("   "));
    });
}

#[test]
fn failures_have_their_status() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut peer = Peer::connect(&server);
        for (path, json, status, code) in [
            ("/calculator/subtract", "[3,5]", 404, "unknown_method"),
            ("/nowhere", "", 404, "unknown_method"),
            ("/calculator/add", "[3]", 400, "bad_arguments"),
            ("/calculator/add", "[3,\"x\"]", 400, "bad_arguments"),
            ("/calculator/add", "[3,", 400, "bad_arguments"),
            ("/calculator/add", "\"\\ud800\"", 400, "bad_arguments"),
            ("/calculator/divide", "[7,0]", 422, "application"),
            ("/calculator/pairs", "", 500, "reply_unencodable"),
        ] {
            let answer = peer.request(&post(path, json));
            assert_eq!((answer.status, &answer.code()[..]), (status, code), "{path} {json}");
        }
        let own = peer.request(&post("/calculator/divide", "[7,0]")).json();
        assert_eq!(own["error"]["details"], json!({"ByZero": {"dividend": 7}}));
        assert_eq!(own["error"]["executed"], "yes");
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(peer.request(&post("/calculator/echo", &deep)).code(), "bad_arguments");
        assert_eq!(peer.request(&post("/calculator/add", "[3,5]")).json(), json!(8));
    });
}

#[test]
fn what_is_not_json_by_name_is_not_taken() {
    on_one_worker(|| {
        let (server, desk) = serve();
        let mut peer = Peer::connect(&server);
        for kind in ["Content-Type: text/plain\r\n", "Content-Type: application/x-www-form-urlencoded\r\n", ""] {
            let request = format!("POST /count_up HTTP/1.1\r\nHost: a\r\n{kind}Content-Length: 2\r\n\r\n[]");
            assert_eq!(peer.request(&request).status, 415, "{kind}");
        }
        assert_eq!(peer.request(&post_with("/count_up", "Content-Encoding: gzip\r\n", "[]")).status, 415);
        assert_eq!(desk.count.load(std::sync::atomic::Ordering::Relaxed), 0);
    });
}

#[test]
fn health_and_metrics() {
    on_one_worker(|| {
        let (server, _) = serve_with(Server::builder().metrics());
        let mut peer = Peer::connect(&server);
        assert_eq!(peer.request(&post("/add", "[3,5]")).json(), json!(8));
        assert_eq!(peer.request(&get("/healthz")).status, 200);
        let head = peer.request("HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!((head.status, head.field("content-length"), head.body.len()), (200, Some("8"), 0));
        server.health().set("", Status::NotServing);
        assert_eq!(peer.request(&get("/healthz")).status, 503);
        let metrics = peer.request(&get("/metrics"));
        assert_eq!(metrics.status, 200);
        assert!(String::from_utf8_lossy(&metrics.body).contains("calculator.add"), "{metrics:?}");
    });
}

#[test]
fn there_are_none_where_nobody_asked_for_them() {
    on_one_worker(|| {
        let (server, _) = serve_with(Server::builder().without_health());
        let mut peer = Peer::connect(&server);
        assert_eq!(peer.request(&get("/healthz")).status, 404);
        assert_eq!(peer.request(&get("/metrics")).status, 404);
    });
}

#[test]
fn other_methods_are_told_which_there_are() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut peer = Peer::connect(&server);
        for (request, allow) in [
            ("GET /calculator/add", "POST"),
            ("OPTIONS *", "POST"),
            ("DELETE /", "POST"),
            ("PUT /healthz", "GET, HEAD"),
            ("TRACE /metrics", "GET, HEAD"),
        ] {
            let answer = peer.request(&format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n"));
            assert_eq!((answer.status, answer.field("allow")), (405, Some(allow)), "{request}");
        }
    });
}

#[test]
fn requests_follow_each_other_on_a_connection() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut peer = Peer::connect(&server);
        let chunked = "POST /add HTTP/1.1\r\nHost: a\r\nContent-Type: application/json; charset=utf-8\r\n\
            Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n4;x=y\r\n3,5]\r\n0\r\nX: y\r\n\r\n";
        peer.send([chunked, &post("/add", "[1,1]"), chunked, &get("/healthz")].concat());
        assert_eq!(peer.answer().expect("an answer").json(), json!(8));
        assert_eq!(peer.answer().expect("an answer").json(), json!(2));
        assert_eq!(peer.answer().expect("an answer").json(), json!(8));
        assert_eq!(peer.answer().expect("an answer").status, 200);
        for byte in chunked.bytes() {
            peer.send([byte]);
            fibra::yield_now();
        }
        assert_eq!(peer.answer().expect("an answer").json(), json!(8));
        let last = peer.request(&post_with("/add", "Connection: close\r\n", "[3,5]"));
        assert_eq!((last.json(), last.field("connection")), (json!(8), Some("close")));
        assert!(peer.answer().is_none());

        let mut old = Peer::connect(&server);
        let answer = old.request("GET /healthz HTTP/1.0\r\n\r\n");
        assert_eq!((answer.status, answer.field("connection")), (200, Some("close")));
        assert!(old.answer().is_none());
    });
}

#[test]
fn who_waits_to_be_told_to_go_on_is_told() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut peer = Peer::connect(&server);
        let request = post_with("/add", "Expect: 100-continue\r\n", "[3,5]");
        let (head, body) = request.split_at(request.len() - 5);
        assert_eq!(peer.request(head).status, 100);
        assert_eq!(peer.request(body).json(), json!(8));
    });
}

#[test]
fn header_fields_are_metadata() {
    on_one_worker(|| {
        let fields = |(): ()| {
            Request::with_current(|request| {
                let metadata = request.expect("a call").metadata();
                metadata.iter().map(|(key, _)| key.to_owned()).collect::<Vec<_>>()
            })
        };
        let (server, _) = serve_with(Server::builder().method("fields", fields));
        let mut peer = Peer::connect(&server);
        let more = "Authorization: Bearer x\r\nX-Tenant: a\r\nAccept: */*\r\n";
        assert_eq!(peer.request(&post_with("/fields", more, "")).json(), json!(["authorization", "x-tenant"]));
        let expired = peer.request(&post_with("/fields", "Fibra-Timeout-Ms: 0\r\n", ""));
        assert_eq!((expired.status, &expired.code()[..]), (504, "expired"));
    });
}

#[test]
fn an_idempotency_key_runs_its_request_once() {
    on_one_worker(|| {
        let (server, desk) = serve();
        let mut one = Peer::connect(&server);
        let keyed = |key: &str, json: &str| post_with("/count_up", &format!("Idempotency-Key: {key}\r\n"), json);
        assert_eq!(one.request(&keyed("\"8e03978e\"", "[]")).json(), json!(1));
        let mut other = Peer::connect(&server);
        assert_eq!(other.request(&keyed("\"8e03978e\"", "[]")).json(), json!(1), "answered again");
        assert_eq!(other.request(&keyed("8e03978f", "[]")).json(), json!(2));
        let conflict = other.request(&post_with("/add", "Idempotency-Key: 8e03978f\r\n", "[3,5]"));
        assert_eq!((conflict.status, &conflict.code()[..]), (422, "conflict"));
        let fields = "Idempotency-Key: 8e03978f\r\nAuthorization: Bearer other\r\n";
        let stranger = other.request(&post_with("/count_up", fields, "[]"));
        assert_eq!((stranger.status, &stranger.code()[..]), (403, "denied"));
        let batch = r#"[{"jsonrpc":"2.0","method":"count_up","id":1},{"jsonrpc":"2.0","method":"count_up","id":2}]"#;
        let batch = post_with("/", "Idempotency-Key: b\r\n", batch);
        let results = [0, 1].map(|_| one.request(&batch).json());
        assert_eq!(results[0], results[1], "each of them once");
        assert_eq!(desk.count.load(std::sync::atomic::Ordering::Relaxed), 4);
        let empty = one.request(&keyed("\"\"", "[]"));
        assert_eq!(empty.status, 400);
    });
}

#[test]
fn a_large_body_within_the_limit_is_taken() {
    on_one_worker(|| {
        let mut limits = Limits::default();
        limits.frame_bytes = 1 << 20;
        let (server, _) = serve_with(Server::builder().limits(limits));
        let mut peer = Peer::connect(&server);
        let text = "x".repeat(1_000_000);
        let answer = peer.request(&post("/echo", &json!({"text": text}).to_string()));
        assert_eq!(answer.json()["text"].as_str(), Some(&text[..]));
    });
}

#[test]
fn threads_serve_it_too() {
    let (server, _) = serve_with(Server::builder().thread_per_connection());
    let mut peer = Peer::connect(&server);
    assert_eq!(peer.request(&post("/add", "[3,5]")).json(), json!(8));
    assert_eq!(peer.request(&get("/healthz")).status, 200);
    server.shutdown();
    assert!(peer.answer().is_none());
}
