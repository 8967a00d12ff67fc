//! Bytes that are no MessagePack-RPC end their connection, with a reason in the log, and no other; what came before is answered.

use rmpv::Value;

use crate::support::msgpack::{bytes, request};
use crate::support::peer::Peer;
use crate::support::{connect, log, on_one_worker, serve, serve_with};
use fibra::rpc::{Limits, Server};

fn closes_for(bad: &[u8], reason: &str) {
    let ((), log) = log::capture(|| {
        on_one_worker(|| {
            let (server, _) = serve();
            let good = connect(&server);
            let mut other = Peer::connect(&server);
            assert_eq!(other.call(1, "add", [1.into(), 2.into()]), 3.into());

            let mut peer = Peer::connect(&server);
            peer.send(request(1, "add", [3.into(), 5.into()]));
            peer.send(bad);
            peer.finish();
            assert_eq!(peer.response(), Some((1, Value::Nil, 8.into())));
            assert_eq!(peer.response(), None);

            assert_eq!(good.add(1, 2).expect("the native one goes on"), 3);
            assert_eq!(other.call(2, "add", [1.into(), 2.into()]), 3.into());
        });
    });
    assert_eq!(log.iter().filter(|line| line.contains(reason)).count(), 1, "{log:?}");
}

#[test]
fn what_is_no_messagepack() {
    closes_for(&[0x94, 0x00, 0xc1], "byte 0xc1 is not MessagePack");
}

#[test]
fn another_value() {
    closes_for(&bytes(&"add".into()), "no MessagePack-RPC message");
    closes_for(&bytes(&Value::Array(vec![5.into(), 1.into(), "add".into(), Value::Nil])), "no MessagePack-RPC message");
}

#[test]
fn a_response() {
    closes_for(&bytes(&Value::Array(vec![1.into(), 1.into(), Value::Nil, Value::Nil])), "nothing was asked");
}

#[test]
fn an_id_that_is_none() {
    let request = Value::Array(vec![0.into(), "one".into(), "add".into(), Value::Array(vec![])]);
    closes_for(&bytes(&request), "id is no number");
}

#[test]
fn a_message_over_the_limit() {
    closes_for(&[0x94, 0x00, 0x01, 0xdb, 0xff, 0xff, 0xff, 0xff], "longer than");
    closes_for(&[0x94, 0x00, 0x01, 0xdd, 0xff, 0xff, 0xff, 0xff], "longer than");
}

#[test]
fn a_message_that_ends_too_early() {
    let request = request(2, "add", [3.into(), 5.into()]);
    closes_for(&request[..request.len() - 1], "ends within a message");
}

#[test]
fn a_large_message_within_the_limit_is_taken() {
    on_one_worker(|| {
        let mut limits = Limits::default();
        limits.frame_bytes = 1 << 20;
        let (server, _) = serve_with(Server::builder().limits(limits));
        let mut peer = Peer::connect(&server);
        let text = "x".repeat(1_000_000);
        let note = Value::Map(vec![("text".into(), text.clone().into())]);
        let echoed = peer.call(1, "echo", [note]);
        assert_eq!(echoed["text"].as_str(), Some(&text[..]));
    });
}

#[test]
fn deep_nesting_fails_its_own_call() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut peer = Peer::connect(&server);
        for depth in [40, 100_000] {
            let deep = [&[0x94, 0x00, 0x01, 0xa4][..], b"echo", &vec![0x91; depth], &[0xc0]].concat();
            peer.send(deep);
            let (id, error, _) = peer.response().expect("a response");
            assert_eq!((id, error[0].as_u64()), (1, Some(4)), "{error}");
        }
        assert_eq!(peer.call(2, "add", [3.into(), 5.into()]), 8.into());
    });
}

#[test]
fn another_protocol_is_not_answered() {
    for begins in [&b"\x16\x03\x01\x02\x00"[..], b"\x00\x00", b"\xc1other!!"] {
        let ((), log) = log::capture(|| {
            on_one_worker(|| {
                let (server, _) = serve();
                let mut peer = Peer::connect(&server);
                peer.send(begins);
                assert_eq!(peer.rest(), b"");
                assert_eq!(connect(&server).add(1, 2).expect("the server goes on"), 3);
            });
        });
        assert!(log.iter().any(|line| line.contains("fibra preface")), "{log:?}");
    }
}
