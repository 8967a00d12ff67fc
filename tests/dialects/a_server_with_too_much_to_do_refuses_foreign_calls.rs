//! Calls that have waited for long behind others are refused, so that others are answered in time: those of other protocols, too.

use std::time::Duration;

use fibra::clock;
use fibra::rpc::Server;
use serde_json::Value;

use crate::support::peer::Peer;
use crate::support::{on_one_worker, serve_with};

const CALLS: usize = 60;

/// How many of many calls are refused, which come at once and keep their worker busy.
fn refused(builder: fibra::rpc::server::Builder, timeout_ms: u64) -> usize {
    on_one_worker(|| {
        let busy = |(millis,): (u64,)| {
            let end = clock::now() + Duration::from_millis(millis);
            while clock::now() < end {}
        };
        let (server, _) = serve_with(builder.method("work", busy));
        let mut peer = Peer::connect(&server);
        let beside = format!(r#""fibra":{{"timeout_ms":{timeout_ms}}}"#);
        let call = format!(r#"{{"jsonrpc":"2.0","method":"work","params":[10],"id":1,{beside}}}"#);
        peer.send(call.repeat(CALLS));
        let answers: Vec<Value> = (0..CALLS).map(|_| peer.json()).collect();
        // On a machine that is very busy itself some may come to their end first.
        let is_refused =
            |answer: &&Value| answer.get("error").is_some_and(|error| error["data"]["reason"] != "expired");
        let refused: Vec<_> = answers.iter().filter(is_refused).collect();
        for answer in &refused {
            let data = &answer["error"]["data"];
            assert_eq!((&data["reason"], &data["executed"]), (&"overloaded".into(), &"no".into()), "{answer}");
            assert!(data["retry_after_ms"].as_u64().is_some_and(|wait| wait > 0), "{answer}");
        }
        assert!(refused.len() < CALLS, "some are served");
        refused.len()
    })
}

#[test]
fn those_that_come_too_late() {
    assert!(refused(Server::builder(), 2_000) > 0);
}

#[test]
fn unless_they_may_wait() {
    assert_eq!(refused(Server::builder().queue_delay_max(Duration::MAX), 600_000), 0);
}
