//! Bytes that are not the protocol end their connection, with a reason in the log and on the wire, and no other.

use crate::support::raw::{self, GOAWAY, REPLY, Raw};
use crate::support::{connect, log, on_one_worker, serve};

/// What a peer sends, and what the log says of it.
fn closes_for(bytes: &[u8], reason: &str) {
    let (peer, log) = log::capture(|| {
        on_one_worker(|| {
            let (server, _) = serve();
            let good = connect(&server);
            assert_eq!(good.add(1, 2).expect("a sum"), 3);

            let mut bad = Raw::connect(server.local_addr());
            bad.send(&raw::add(1, 3, 5));
            bad.send(bytes);
            assert_eq!(bad.receive(), Some((REPLY, 1, vec![8])), "what came before is answered");
            let (kind, xid, body) = bad.receive().expect("last words");
            assert_eq!((kind, xid, body[0]), (GOAWAY, 0, 1));
            assert!(String::from_utf8_lossy(&body[1..]).contains(reason), "{body:?}");
            assert_eq!(bad.receive(), None, "closed");

            assert_eq!(good.add(1, 2).expect("the other goes on"), 3);
            assert_eq!(connect(&server).add(1, 2).expect("so does the server"), 3);
            bad.stream.local_addr().expect("it was bound")
        })
    });
    let told = log.iter().filter(|line| line.contains(reason) && line.contains(&peer.to_string())).count();
    assert_eq!(told, 1, "{log:?}");
}

#[test]
fn an_unknown_kind() {
    closes_for(&raw::frame(14, 2, b""), "unknown frame kind 14");
}

#[test]
fn a_reply_to_a_server() {
    closes_for(&raw::frame(REPLY, 2, &[8]), "unexpected Reply frame");
}

#[test]
fn a_call_too_short_for_its_fields() {
    closes_for(&raw::frame(raw::CALL, 2, &[0; 8]), "lacks the method name's length");
}

#[test]
fn a_frame_over_the_limit() {
    let header = [&u32::MAX.to_be_bytes()[..], &[raw::CALL, 0, 0, 0], &2_u64.to_be_bytes()].concat();
    closes_for(&header, "over the limit");
}

#[test]
fn another_protocol_is_not_answered() {
    let ((), log) = log::capture(|| {
        on_one_worker(|| {
            let (server, _) = serve();
            let mut stranger = Raw::connect_silently(server.local_addr());
            stranger.send(b"\x16\x03\x01\x02\x00\x01"); // TLS
            assert_eq!(stranger.receive(), None);
            assert_eq!(connect(&server).add(1, 2).expect("the server goes on"), 3);
        });
    });
    assert!(log.iter().any(|line| line.contains("fibra preface")), "{log:?}");
}
