//! Going down: what foreign clients have asked is answered, and their connections end, idle or not.

use std::time::Duration;

use fibra::rpc::health::Status;
use fibra::rpc::server::Drained;
use rmpv::Value;

use crate::support::http::post;
use crate::support::msgpack::request;
use crate::support::peer::Peer;
use crate::support::{on_one_worker, serve};

#[test]
fn a_drain_answers_what_has_come() {
    on_one_worker(|| {
        let (server, desk) = serve();
        let mut idle = Peer::connect(&server);
        assert_eq!(idle.call(1, "add", [3.into(), 5.into()]), 8.into());
        let mut busy = Peer::connect(&server);
        busy.send(request(1, "pass", []));
        desk.turnstile.wait_for(1);
        fibra::scope(|scope| {
            let drained = scope.spawn(|| server.drain(Duration::from_secs(20)));
            assert_eq!(idle.response(), None, "the idle one ends at once");
            desk.turnstile.open();
            assert_eq!(busy.response(), Some((1, Value::Nil, Value::Nil)));
            assert_eq!(busy.response(), None);
            assert_eq!(drained.join().expect("it does not panic"), Drained::Complete);
        });
    });
}

#[test]
fn a_client_of_http_is_told_that_its_connection_ends() {
    on_one_worker(|| {
        let (server, desk) = serve();
        let mut peer = Peer::connect(&server);
        peer.send(post("/pass", ""));
        desk.turnstile.wait_for(1);
        fibra::scope(|scope| {
            let drained = scope.spawn(|| server.drain(Duration::from_secs(20)));
            while server.health().check("") == Status::Serving {
                fibra::yield_now();
            }
            desk.turnstile.open();
            let answer = peer.answer().expect("an answer");
            assert_eq!((answer.json(), answer.field("connection")), (serde_json::Value::Null, Some("close")));
            assert!(peer.answer().is_none());
            assert_eq!(drained.join().expect("it does not panic"), Drained::Complete);
        });
    });
}

#[test]
fn a_shutdown_cancels_what_runs() {
    on_one_worker(|| {
        let (server, desk) = serve();
        let mut peer = Peer::connect(&server);
        peer.send(request(1, "wait_for_ever", []));
        desk.turnstile.wait_for(1);
        assert_eq!(desk.turnstile.entered(), 1);
        server.shutdown();
        assert_eq!(server.connections(), 0);
        assert_eq!(peer.response(), None);
    });
}
