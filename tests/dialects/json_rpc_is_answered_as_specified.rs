//! JSON-RPC over TCP: messages one behind the other, ids as they came, batches, Go's form, and what cannot be.

use fibra::rpc::{Limits, Server};
use serde_json::json;

use crate::support::json::same;
use crate::support::peer::Peer;
use crate::support::{connect, log, on_one_worker, serve, serve_with};

#[test]
fn messages_need_nothing_between_them() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut peer = Peer::connect(&server);
        let request = |id: &str| format!(r#"{{"jsonrpc":"2.0","method":"add","params":[3,5],"id":{id}}}"#);
        peer.send([request("1"), request("2"), "\r\n\t ".to_owned(), request("3"), "\n".to_owned()].concat());
        for id in 1..4 {
            assert_eq!(peer.json(), json!({"jsonrpc": "2.0", "result": 8, "id": id}));
        }
        for byte in ["\n", &request("4")].concat().bytes() {
            peer.send([byte]);
            fibra::yield_now();
        }
        assert_eq!(peer.json()["id"], 4);
    });
}

#[test]
fn an_id_comes_back_byte_for_byte() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut peer = Peer::connect(&server);
        let ids = ["0", "-1", "1.50", "1e400", "18446744073709551616", "null", r#""\u0041\n""#, r#""""#];
        for id in ids {
            peer.send(format!("{{\"jsonrpc\":\"2.0\",\"method\":\"add\",\"params\":[3,5],\"id\": {id} }}\n"));
            assert_eq!(peer.line(), Some(format!(r#"{{"jsonrpc":"2.0","result":8,"id":{id}}}"#)));
        }
    });
}

#[test]
fn two_requests_with_one_id_are_both_answered() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut peer = Peer::connect(&server);
        peer.send(r#"{"jsonrpc":"2.0","method":"add","params":[1,1],"id":9}"#.repeat(2));
        assert_eq!((peer.json()["result"].clone(), peer.json()["result"].clone()), (json!(2), json!(2)));
    });
}

#[test]
fn a_slow_request_stalls_no_other() {
    on_one_worker(|| {
        let (server, desk) = serve();
        let mut peer = Peer::connect(&server);
        peer.send(r#"[{"jsonrpc":"2.0","method":"pass","id":1},{"jsonrpc":"2.0","method":"pass","id":2}]"#);
        desk.turnstile.wait_for(2);
        assert_eq!(peer.ask(r#"{"jsonrpc":"2.0","method":"add","params":[3,5],"id":3}"#)["result"], 8);
        desk.turnstile.open();
        let both = peer.json();
        assert_eq!(both, json!([{"jsonrpc":"2.0","result":null,"id":1},{"jsonrpc":"2.0","result":null,"id":2}]));
    });
}

#[test]
fn a_batch_never_needs_more_than_there_may_be() {
    on_one_worker(|| {
        let mut limits = Limits::default();
        limits.in_flight = 2;
        let (server, _) = serve_with(Server::builder().limits(limits));
        let mut peer = Peer::connect(&server);
        let requests = (0..50).map(|id| format!(r#"{{"jsonrpc":"2.0","method":"add","params":[{id},1],"id":{id}}}"#));
        let answers = peer.ask(&format!("[{}]", requests.collect::<Vec<_>>().join(",")));
        let sums: Vec<_> =
            answers.as_array().expect("a batch").iter().map(|answer| answer["result"].as_i64()).collect();
        assert_eq!(sums, (1..51).map(Some).collect::<Vec<_>>());
    });
}

#[test]
fn values_go_there_and_back() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut peer = Peer::connect(&server);
        let note = r#"{"text":"grüezi \" \\ \u0000 \ud83d\ude00","ratio":0.1,"tags":["a",""]}"#;
        peer.send(format!(r#"{{"jsonrpc":"2.0","method":"echo","params":[{note}],"id":1}}"#));
        let answer = peer.line().expect("an answer");
        assert!(same(&answer, &format!(r#"{{"jsonrpc":"2.0","result":{note},"id":1}}"#)), "{answer}");
        let max = peer.ask(r#"{"jsonrpc":"2.0","method":"add","params":[9223372036854775807,-1],"id":1}"#);
        assert_eq!(max["result"], i64::MAX - 1);
        let by_itself = peer.ask(r#"{"jsonrpc":"2.0","method":"echo","params":{"text":"a"},"id":1}"#);
        assert_eq!(by_itself["result"]["text"], "a");
        let pairs = peer.ask(r#"{"jsonrpc":"2.0","method":"pairs","id":1}"#);
        assert_eq!(pairs["error"]["data"], json!({"reason": "reply_unencodable", "executed": "yes"}));
    });
}

#[test]
fn failures_have_the_codes_of_the_specification() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut peer = Peer::connect(&server);
        for (method, params, code) in [
            ("calculator.subtract", "[]", -32601),
            ("add", "[3]", -32602),
            ("add", "[3,5,7]", -32602),
            ("add", "[3,\"5\"]", -32602),
            ("add", "[3,5.5]", -32602),
            ("add", "{\"a\":3}", -32602),
            ("add", "{\"a\":3,\"b\":5,\"c\":7}", -32602),
            ("divide", "[7,0]", 1),
        ] {
            let line = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params},"id":"x"}}"#);
            let answer = peer.ask(&line);
            assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(code), &json!("x")), "{line}: {answer}");
        }
        let own = peer.ask(r#"{"jsonrpc":"2.0","method":"divide","params":[7,0],"id":1}"#);
        assert_eq!(own["error"]["data"], json!({"ByZero": {"dividend": 7}}));
        for invalid in [
            r#"{"jsonrpc":"2.0","method":1,"id":7}"#,
            r#"{"jsonrpc":"2.0","method":"add","params":3,"id":7}"#,
            r#"{"jsonrpc":"3.0","method":"add","params":[3,5],"id":7}"#,
        ] {
            let expected = json!({"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": 7});
            assert_eq!(peer.ask(invalid), expected, "{invalid}");
        }
        let bad_id = peer.ask(r#"{"jsonrpc":"2.0","method":"add","params":[3,5],"id":{}}"#);
        assert_eq!((&bad_id["error"]["code"], &bad_id["id"]), (&json!(-32600), &json!(null)));
        assert_eq!(peer.ask(r#"{"jsonrpc":"2.0","method":"add","params":[3,5],"id":7}"#)["result"], 8);
    });
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_is_an_internal_error() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut peer = Peer::connect(&server);
        let answer = peer.ask(r#"{"jsonrpc":"2.0","method":"fail","params":["out of paper"],"id":1}"#);
        assert_eq!((&answer["error"]["code"], &answer["error"]["message"]), (&json!(-32603), &json!("Internal error")));
        assert_eq!(answer["error"]["data"]["executed"], "yes");
    });
}

#[test]
fn gos_form() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut peer = Peer::connect(&server);
        peer.send(r#"{"method":"Calculator.Add","params":[{"A":3,"B":5}],"id":0}"#);
        assert_eq!(peer.line().as_deref(), Some(r#"{"id":0,"result":8,"error":null}"#));
        peer.send(r#"{"method":"Calculator.Divide","params":[[7,0]],"id":1}"#);
        assert_eq!(peer.line().as_deref(), Some(r#"{"id":1,"result":null,"error":"{\"ByZero\":{\"dividend\":7}}"}"#));
        let unknown = peer.ask(r#"{"method":"Calculator.Subtract","params":[0],"id":2}"#);
        assert_eq!((&unknown["id"], &unknown["result"]), (&json!(2), &json!(null)));
        assert!(unknown["error"].as_str().is_some_and(|error| error.contains("no method `Calculator.Subtract`")));
        let echo = peer.ask(r#"{"method":"Calculator.Echo","params":[{"text":"a"}],"id":3}"#);
        assert_eq!(echo["result"]["text"], "a");
    });
}

#[test]
fn what_is_beside_the_parameters() {
    on_one_worker(|| {
        let tenant = |(): ()| {
            let tenant = fibra::rpc::Request::current()?.metadata().text("tenant").map(str::to_owned);
            let left = fibra::cancel::deadline()?.saturating_duration_since(fibra::clock::now());
            Some((tenant, left.as_secs()))
        };
        let (server, desk) = serve_with(Server::builder().method("tenant", tenant));
        let mut peer = Peer::connect(&server);
        let line =
            r#"{"jsonrpc":"2.0","method":"tenant","id":1,"fibra":{"metadata":{"tenant":"x"},"timeout_ms":3600000}}"#;
        let answer = peer.ask(line);
        assert_eq!(answer["result"][0], "x", "{answer}");
        assert!(answer["result"][1].as_u64().is_some_and(|left| left > 3000), "{answer}");
        let late = peer.ask(r#"{"jsonrpc":"2.0","method":"wait_for_ever","id":1,"fibra":{"timeout_ms":0}}"#);
        assert_eq!(late["error"]["data"], json!({"reason": "expired", "executed": "no"}));
        assert_eq!(desk.turnstile.entered(), 0);
        let wrong = peer.ask(r#"{"jsonrpc":"2.0","method":"tenant","id":1,"fibra":{"timeout":0}}"#);
        assert_eq!(wrong["error"]["code"], -32602, "{wrong}");
    });
}

#[test]
fn deep_nesting_fails_its_own_call() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut peer = Peer::connect(&server);
        for depth in [40, 200_000] {
            let (open, close) = ("[".repeat(depth), "]".repeat(depth));
            let answer = peer.ask(&format!(r#"{{"jsonrpc":"2.0","method":"echo","params":{open}{close},"id":1}}"#));
            assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(-32602), &json!(1)), "{depth}");
            let batch = peer.ask(&format!("[{open}{close}]"));
            assert_eq!(batch[0]["error"]["code"], -32600);
        }
        assert_eq!(peer.ask(r#"{"jsonrpc":"2.0","method":"add","params":[3,5],"id":7}"#)["result"], 8);
    });
}

/// The last answer of a connection that ends, and what the log says.
fn ends_with(bytes: &[u8], code: i64, reason: &str) {
    let ((), log) = log::capture(|| {
        on_one_worker(|| {
            let mut limits = Limits::default();
            limits.frame_bytes = 1 << 16;
            let (server, _) = serve_with(Server::builder().limits(limits));
            let mut other = Peer::connect(&server);
            assert_eq!(other.ask(r#"{"jsonrpc":"2.0","method":"add","params":[3,5],"id":1}"#)["result"], 8);
            let mut peer = Peer::connect(&server);
            peer.send(r#"{"jsonrpc":"2.0","method":"add","params":[3,5],"id":1}"#);
            peer.send(bytes);
            peer.finish();
            assert_eq!(peer.json()["result"], 8, "what came before is answered");
            let last = peer.json();
            assert_eq!((&last["error"]["code"], &last["id"]), (&json!(code), &json!(null)));
            assert_eq!(peer.line(), None);
            assert_eq!(other.ask(r#"{"jsonrpc":"2.0","method":"add","params":[3,5],"id":2}"#)["result"], 8);
            assert_eq!(connect(&server).add(3, 5).expect("a sum"), 8);
        });
    });
    assert_eq!(log.iter().filter(|line| line.contains(reason)).count(), 1, "{log:?}");
}

#[test]
fn what_is_no_json_is_told_and_ends_its_connection() {
    // What would be taken for a request is none: nobody knows where the first message ends.
    ends_with(b"{]\n{\"jsonrpc\":\"2.0\",\"method\":\"count_up\",\"id\":2}", -32700, "cannot be there in JSON");
    ends_with(b"add 3 5\n", -32700, "cannot be there in JSON");
    ends_with(b"{\"jsonrpc\":\"2.0\",\"method\":\"a\n\"}", -32700, "cannot be there in JSON");
    ends_with(b"{\"jsonrpc\":\"2.0\"", -32700, "ends within a message");
    ends_with(b"{\"jsonrpc\":\"2.0\",\"method\":\"a", -32700, "ends within a message");
}

#[test]
fn a_message_over_the_limit_is_told_and_ends_its_connection() {
    ends_with(&[b"{\"jsonrpc\":\"", &vec![b'2'; 1 << 17][..]].concat(), -32600, "longer than 65536 bytes");
}

#[test]
fn messages_with_their_length() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut peer = Peer::connect(&server);
        let framed = |body: &str| format!("Content-Length: {}\r\n\r\n{body}", body.len());
        let request = r#"{"jsonrpc":"2.0","method":"add","params":[3,5],"id":1}"#;
        peer.send(framed(request));
        let answer = framed(r#"{"jsonrpc":"2.0","result":8,"id":1}"#);
        while peer.buffer.len() < answer.len() {
            assert!(peer.receive());
        }
        peer.send(framed("{]"));
        peer.send(["Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n", &framed(request)].concat());
        peer.finish();
        let wrong = framed(r#"{"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error"},"id":null}"#);
        assert_eq!(String::from_utf8_lossy(&peer.rest()), [&answer[..], &wrong, &answer].concat());
    });
}

#[test]
fn a_length_that_is_none_ends_its_connection() {
    for head in
        ["Content-Length: 1\r\nContent-Length: 1\r\n\r\n", "Content-Length: -1\r\n\r\n", "Content-Type: x\r\n\r\n"]
    {
        let ((), log) = log::capture(|| {
            on_one_worker(|| {
                let (server, _) = serve();
                let mut peer = Peer::connect(&server);
                peer.send(head);
                assert_eq!(peer.rest(), b"");
            });
        });
        assert!(log.iter().any(|line| line.contains("one Content-Length")), "{log:?}");
    }
}

#[test]
fn threads_serve_them_too() {
    let (server, _) = serve_with(Server::builder().thread_per_connection());
    let mut peer = Peer::connect(&server);
    let batch = peer.ask(r#"[{"jsonrpc":"2.0","method":"add","params":[3,5],"id":1},{"jsonrpc":"2.0","method":"add","params":[1,1],"id":2}]"#);
    assert_eq!((&batch[0]["result"], &batch[1]["result"]), (&json!(8), &json!(2)));
}
