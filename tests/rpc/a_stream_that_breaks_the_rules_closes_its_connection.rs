//! What a client sends on a stream against the rules ends its connection, and no other; what crosses an answer does not.

use std::time::Duration;

use fibra::rpc::CallError;
use fibra::rpc::error::Disconnect;

use crate::support::raw::{self, CALL, CREDIT, END, FAILURE, GOAWAY, ITEM, REPLY, Raw};
use crate::support::streams::TapClient;
use crate::support::stub::Stub;
use crate::support::{connect, on_one_worker, streams};

const XID: u64 = 1 << 63;

const CLIENT_STREAM: u8 = 0x10;
const SERVER_STREAM: u8 = 0x20;

fn flagged(mut frame: Vec<u8>, flags: u8) -> Vec<u8> {
    frame[5] = flags;
    frame
}

/// A call with a stream of the client's.
fn call(xid: u64, method: &str, args: &[u8]) -> Vec<u8> {
    flagged(raw::call(xid, Duration::from_secs(10), method, args), CLIENT_STREAM)
}

/// A call with a stream of the server's.
fn watch(xid: u64, credit: u32, method: &str, args: &[u8]) -> Vec<u8> {
    let mut body = 10_000_000_u64.to_be_bytes().to_vec();
    body.extend_from_slice(&credit.to_be_bytes());
    body.push(u8::try_from(method.len()).expect("a test's method"));
    body.extend_from_slice(method.as_bytes());
    body.extend_from_slice(args);
    flagged(raw::frame(CALL, xid, &body), SERVER_STREAM)
}

fn item(xid: u64, body: &[u8]) -> Vec<u8> {
    raw::frame(ITEM, xid, body)
}

fn end(xid: u64) -> Vec<u8> {
    raw::frame(END, xid, b"")
}

fn credit(xid: u64, bytes: u32) -> Vec<u8> {
    raw::frame(CREDIT, xid, &bytes.to_be_bytes())
}

/// A call of `hold`, whose handler takes nothing, and what follows it.
fn closes_for(follows: &[u8], reason: &str) {
    on_one_worker(|| {
        let (server, tap, proxy) = streams::serve();
        let mut bad = Raw::connect(server.local_addr());
        bad.send(&call(XID, "tap.hold", &[0x90]));
        tap.turnstile.wait_for(1);
        bad.send(follows);
        let (kind, xid, body) = loop {
            match bad.receive().expect("last words") {
                (CREDIT | ITEM, ..) => {}
                frame => break frame,
            }
        };
        assert_eq!((kind, xid, body[0]), (GOAWAY, 0, 1), "{body:?}");
        assert!(String::from_utf8_lossy(&body[1..]).contains(reason), "{}", String::from_utf8_lossy(&body[1..]));
        tap.turnstile.open();
        let sum = proxy.sum().expect("others go on");
        sum.send(3).expect("it is taken");
        assert_eq!(sum.finish().expect("a sum"), 3);
        assert_eq!(connect(&server).add(3, 5).expect("a sum"), 8);
    });
}

#[test]
fn an_item_of_no_call() {
    closes_for(&item(XID + 1, &[1]), "unexpected Item frame");
    closes_for(&item(1, &[1]), "unexpected Item frame");
}

#[test]
fn an_end_of_no_call() {
    closes_for(&end(XID + 1), "unexpected End frame");
}

#[test]
fn an_item_behind_the_end() {
    closes_for(&[end(XID), item(XID, &[1])].concat(), "after the end");
}

#[test]
fn a_second_end() {
    closes_for(&[end(XID), end(XID)].concat(), "after the end");
}

#[test]
fn an_end_within_an_item() {
    closes_for(&[flagged(item(XID, &[0xd9]), 1), end(XID)].concat(), "within an item");
}

#[test]
fn a_stop_from_a_client() {
    closes_for(&flagged(end(XID), 2), "unexpected End frame");
}

#[test]
fn an_item_beyond_the_credit() {
    closes_for(&item(XID, &[0; 16 * 1024 - 15]), "without credit");
}

#[test]
fn a_flood_of_tiny_items() {
    closes_for(&item(XID, &[1]).repeat(16 * 1024 / 17 + 1), "without credit");
}

#[test]
fn an_empty_item() {
    closes_for(&item(XID, b""), "is empty");
}

#[test]
fn credit_for_a_stream_that_there_is_not() {
    closes_for(&credit(XID, 1024), "no stream in this direction");
}

#[test]
fn hardly_any_credit() {
    closes_for(&credit(XID, 0), "hardly any credit");
    closes_for(&credit(XID, 255), "hardly any credit");
}

#[test]
fn credit_beyond_the_maximum() {
    // The handler sends into its credit meanwhile: what is given is more than that.
    let follows = [watch(XID + 1, 1 << 30, "tap.sleep", &[0x90]), credit(XID + 1, 1 << 30)].concat();
    closes_for(&follows, "too much credit");
    let follows = [watch(XID + 1, 1024, "tap.sleep", &[0x90]), credit(XID + 1, u32::MAX)].concat();
    closes_for(&follows, "too much credit");
    closes_for(&watch(XID + 1, u32::MAX, "tap.sleep", &[0x90]), "too much credit");
}

#[test]
fn an_xid_that_is_in_use() {
    closes_for(&call(XID, "tap.sum", &[0x90]), "goes on");
}

/// Calls that are answered at once, and whose client neither ends its stream nor sends a thing: each leaves a few words behind.
#[test]
fn streams_without_number_that_never_end() {
    const MAX: u64 = fibra::rpc::limits::STREAM_REMNANTS_MAX as u64;
    on_one_worker(|| {
        let (server, _tap, proxy) = streams::serve();
        let mut bad = Raw::connect(server.local_addr());
        let mut answered = 0;
        let reason = 'flood: loop {
            let calls = (0..1024).flat_map(|n| call(XID + answered + n, "tap.missing", &[0x90]));
            bad.send(&calls.collect::<Vec<_>>());
            for _ in 0..1024 {
                match bad.receive().expect("last words") {
                    (FAILURE, ..) => answered += 1,
                    (kind, _, body) => {
                        assert_eq!((kind, body[0]), (GOAWAY, 1));
                        break 'flood String::from_utf8_lossy(&body[1..]).into_owned();
                    }
                }
            }
            assert!(answered <= MAX, "{answered} are known");
        };
        assert!(reason.contains("left open"), "{reason}");
        assert_eq!(answered, MAX);
        assert_eq!(proxy.sum().expect("others go on").finish().expect("a sum"), 0);
    });
}

#[test]
fn a_stream_that_is_one_way_or_idempotent() {
    for flag in [1, 2] {
        let call = raw::call(XID + 1, Duration::from_secs(10), "tap.sum", &[0x90]);
        closes_for(&flagged(call, CLIENT_STREAM | flag), "unknown flags");
    }
}

#[test]
fn what_crosses_an_answer_is_dropped_as_far_as_the_credit_goes() {
    on_one_worker(|| {
        let (server, _tap, _) = streams::serve();
        let mut raw = Raw::connect(server.local_addr());
        // Refused; the client does not know yet, and goes on.
        raw.send(&call(XID, "tap.missing", &[0x90]));
        raw.send(&[item(XID, &[1]), item(XID, &[0; 1000]), end(XID)].concat());
        let (kind, xid, body) = raw.receive().expect("a failure");
        assert_eq!((kind, xid, body[0]), (FAILURE, XID, 3));
        // The same of one that has been answered, and has no place any more once it has ended.
        raw.send(&call(XID, "tap.sum", &[0x91, 1]));
        assert_eq!(raw.receive(), Some((END, XID, vec![])), "it takes no items");
        let (kind, _, body) = raw.receive().expect("a failure");
        assert_eq!((kind, body[0]), (FAILURE, 4));
        raw.send(&item(XID, &[0; 1000]));
        raw.send(&raw::frame(raw::CANCEL, XID, b""));
        raw.send(&raw::frame(raw::CANCEL, XID, b""));
        raw.send(&credit(XID, 1024));
        raw.send(&raw::add(1, 3, 5));
        assert_eq!(raw.receive(), Some((REPLY, 1, vec![8])));

        raw.send(&call(XID, "tap.missing", &[0x90]));
        assert_eq!(raw.receive().expect("a failure").0, FAILURE);
        raw.send(&item(XID, &[1]).repeat(16 * 1024 / 17 + 1));
        assert_eq!(raw.receive().expect("last words").0, GOAWAY);
    });
}

#[test]
fn credit_in_a_million_pieces_harms_nobody() {
    on_one_worker(|| {
        let (server, _tap, proxy) = streams::serve();
        let mut raw = Raw::connect(server.local_addr());
        raw.send(&watch(XID, 1024, "tap.sleep", &[0x90]));
        assert_eq!(raw.receive(), Some((ITEM, XID, vec![1])));
        for _ in 0..1_000 {
            raw.send(&credit(XID, 256).repeat(1_000));
        }
        raw.send(&raw::add(1, 3, 5));
        assert_eq!(raw.receive(), Some((REPLY, 1, vec![8])));
        let sum = proxy.sum().expect("others go on");
        assert_eq!(sum.finish().expect("a sum"), 0);
    });
}

#[test]
fn a_server_never_sends_beyond_its_credit() {
    on_one_worker(|| {
        let (server, tap, _) = streams::serve();
        let mut raw = Raw::connect(server.local_addr());
        raw.send(&watch(XID, 1024, "tap.count", &[0x91, 0xcd, 0x03, 0xe8]));
        let mut credit_left = 1024;
        let mut next = 0_u64;
        loop {
            let (kind, xid, body) = raw.receive().expect("a frame");
            assert_eq!(xid, XID);
            if kind == REPLY {
                break;
            }
            assert_eq!(kind, ITEM);
            credit_left -= 16 + i64::try_from(body.len()).expect("short");
            assert!(credit_left >= 0, "number {next}");
            next += 1;
            if credit_left < 256 {
                raw.send(&credit(XID, 512));
                credit_left += 512;
            }
        }
        assert_eq!(next, 1_000);
        drop(tap);
    });
}

#[test]
fn what_a_server_sends_behind_its_answer() {
    on_one_worker(|| {
        let frames: [fn(u64) -> Vec<u8>; 4] = [
            |xid| raw::frame(REPLY, xid, &[0xc0]),
            |xid| item(xid, &[1]),
            // Both of the client's stream, which this call has: it takes no more of it, nor has it any use for credit.
            |xid| credit(xid, 1024),
            |xid| flagged(end(xid), 2),
        ];
        for behind in frames {
            // The first is not answered, and the second more than once.
            let stub = Stub::start(move |nth, xid| match nth {
                0 => Vec::new(),
                _ => [raw::frame(REPLY, xid, &[0xc0]), behind(xid)].concat(),
            });
            let proxy = TapClient::connect(stub.addr()).expect("it listens");
            let mut other = proxy.sleep().expect("it begins");
            let mut lines = proxy.shout().expect("it begins");
            assert_eq!(lines.recv().expect("an answer"), None);
            let error = other.recv().expect_err("the connection is closed");
            assert!(matches!(error, CallError::Disconnected { cause: Disconnect::Malformed(_), .. }), "{error:?}");
            drop((lines, other, proxy));
            stub.kill();
        }
    });
}
