//! At most once for clients of other protocols: a call with a key is answered again, not run again, by the sessions that native calls have.

use fibra::rpc::{Limits, Server};
use serde_json::{Value, json};

use crate::support::json::same;
use crate::support::peer::Peer;
use crate::support::{on_one_worker, serve, serve_with};

/// A request of `client`, as its call number `xid`.
fn keyed(method: &str, params: &str, client: &str, xid: u64) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"{method}","params":{params},"id":1,"fibra":{{"client":"{client}","xid":{xid}}}}}"#
    )
}

#[test]
fn on_whichever_connection_it_comes() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut one = Peer::connect(&server);
        assert_eq!(one.ask(&keyed("count_up", "[]", "till 7", 1))["result"], 1);
        assert_eq!(one.ask(&keyed("count_up", "[]", "till 7", 1))["result"], 1, "again");
        let mut other = Peer::connect(&server);
        assert_eq!(other.ask(&keyed("Calculator.CountUp", "[]", "till 7", 1))["result"], 1, "by another name, too");
        assert_eq!(other.ask(&keyed("count_up", "[]", "till 7", 2))["result"], 2);
        assert_eq!(other.ask(&keyed("count_up", "[]", "till 8", 1))["result"], 3, "another client's");
        let failed = other.ask(&keyed("divide", "[7,0]", "till 8", 2));
        assert_eq!(other.ask(&keyed("divide", "[7,0]", "till 8", 2)), failed, "failures are answers");
    });
}

#[test]
fn another_request_under_the_same_key_is_a_conflict() {
    on_one_worker(|| {
        let (server, desk) = serve();
        let mut peer = Peer::connect(&server);
        assert_eq!(peer.ask(&keyed("add", "[3,5]", "a", 1))["result"], 8);
        for (method, params) in [("add", "[3,6]"), ("count_up", "[]")] {
            let answer = peer.ask(&keyed(method, params, "a", 1));
            assert_eq!(answer["error"]["data"], json!({"reason": "conflict", "executed": "no"}), "{answer}");
        }
        assert_eq!(desk.count.load(std::sync::atomic::Ordering::Relaxed), 0);
    });
}

#[test]
fn a_copy_waits_for_the_run_that_there_is() {
    on_one_worker(|| {
        let (server, desk) = serve();
        let (mut one, mut other) = (Peer::connect(&server), Peer::connect(&server));
        one.send(keyed("pass", "[]", "a", 1));
        desk.turnstile.wait_for(1);
        other.send(keyed("pass", "[]", "a", 1));
        // Behind it on its connection: when this is answered, that one waits.
        assert_eq!(other.ask(r#"{"jsonrpc":"2.0","method":"add","params":[3,5],"id":2}"#)["result"], 8);
        desk.turnstile.open();
        assert_eq!((one.json()["id"].clone(), other.json()["id"].clone()), (json!(1), json!(1)));
        assert_eq!(desk.turnstile.entered(), 1);
    });
}

#[test]
fn a_client_has_a_window_and_acknowledges() {
    on_one_worker(|| {
        let mut limits = Limits::default();
        limits.window = 2;
        let (server, _) = serve_with(Server::builder().limits(limits));
        let mut peer = Peer::connect(&server);
        assert_eq!(peer.ask(&keyed("count_up", "[]", "a", 1))["result"], 1);
        assert_eq!(peer.ask(&keyed("count_up", "[]", "a", 3))["error"]["data"]["reason"], "out_of_window");
        let acknowledges =
            r#"{"jsonrpc":"2.0","method":"count_up","id":1,"fibra":{"client":"a","xid":3,"first_incomplete":3}}"#;
        assert_eq!(peer.ask(acknowledges)["result"], 2);
        let stale = peer.ask(&keyed("count_up", "[]", "a", 1));
        assert_eq!(stale["error"]["data"], json!({"reason": "stale", "executed": "maybe"}));
    });
}

#[test]
fn a_secret_keeps_others_out() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut peer = Peer::connect(&server);
        let with = |secret: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","method":"count_up","id":1,"fibra":{{"client":"a","xid":1,"secret":"{secret}"}}}}"#
            )
        };
        assert_eq!(peer.ask(&with("x"))["result"], 1);
        assert_eq!(peer.ask(&with("y"))["error"]["data"], json!({"reason": "denied", "executed": "no"}));
        assert_eq!(peer.ask(&with("x"))["result"], 1);
    });
}

#[test]
fn a_refusal_for_want_of_room_is_not_kept() {
    on_one_worker(|| {
        let (server, desk) = serve_with(Server::builder().waiting_max(1));
        let mut waits = Peer::connect(&server);
        waits.send(r#"{"jsonrpc":"2.0","method":"pass","id":1}"#);
        desk.turnstile.wait_for(1);
        let mut peer = Peer::connect(&server);
        assert_eq!(peer.ask(&keyed("count_up", "[]", "a", 1))["error"]["data"]["reason"], "overloaded");
        desk.turnstile.open();
        assert_eq!(waits.json()["id"], 1);
        assert_eq!(peer.ask(&keyed("count_up", "[]", "a", 1))["result"], 1, "it has not run before");
        assert_eq!(peer.ask(&keyed("count_up", "[]", "a", 1))["result"], 1);
    });
}

#[test]
fn each_request_of_a_batch_has_its_own() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut peer = Peer::connect(&server);
        let batch = format!("[{},{}]", keyed("count_up", "[]", "a", 1), keyed("count_up", "[]", "a", 1));
        let answers: Value = peer.ask(&batch);
        assert_eq!((&answers[0]["result"], &answers[1]["result"]), (&json!(1), &json!(1)));
        assert!(same(&answers.to_string(), &peer.ask(&batch).to_string()));
    });
}
