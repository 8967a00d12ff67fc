//! What bounds native calls bounds those of other protocols: how many run, how many wait, how long a message may take.

use std::io::Write;
use std::time::Duration;

use fibra::rpc::{Limits, Server};
use rmpv::Value;

use crate::support::msgpack::request;
use crate::support::peer::Peer;
use crate::support::{log, on_one_worker, serve_with};

const OVERLOADED: u64 = 6;

#[test]
fn calls_on_one_connection() {
    on_one_worker(|| {
        let mut limits = Limits::default();
        limits.in_flight = 2;
        let (server, desk) = serve_with(Server::builder().limits(limits));
        let mut peer = Peer::connect(&server);
        peer.send([request(1, "pass", []), request(2, "pass", [])].concat());
        desk.turnstile.wait_for(2);
        assert_eq!(peer.failure(3, "add", [3.into(), 5.into()]), (OVERLOADED, "no".into()));
        desk.turnstile.open();
        let mut ended = [peer.response(), peer.response()].map(|response| response.expect("an answer").0);
        ended.sort_unstable();
        assert_eq!(ended, [1, 2]);
        assert_eq!(peer.call(4, "add", [3.into(), 5.into()]), 8.into());
    });
}

#[test]
fn calls_that_only_wait_for_their_turn_are_none_of_them() {
    on_one_worker(|| {
        let mut limits = Limits::default();
        limits.in_flight = 2;
        let (server, _) = serve_with(Server::builder().limits(limits).queue_delay_max(Duration::MAX));
        let mut peer = Peer::connect(&server);
        let count = 3_000_u32;
        peer.send((0..count).flat_map(|id| request(id, "add", [id.into(), 1.into()])).collect::<Vec<_>>());
        for _ in 0..count {
            let (id, error, result) = peer.response().expect("each has one");
            assert_eq!((error, result.as_u64()), (Value::Nil, Some(id + 1)));
        }
    });
}

/// Nor are those of a batch.
#[test]
fn batches_that_only_wait_for_their_turn() {
    on_one_worker(|| {
        let mut limits = Limits::default();
        limits.in_flight = 4;
        let (server, _) = serve_with(Server::builder().limits(limits).queue_delay_max(Duration::MAX));
        let mut peer = Peer::connect(&server);
        let add = r#"{"jsonrpc":"2.0","method":"add","params":[3,5],"id":1}"#;
        let sum = r#"{"jsonrpc":"2.0","result":8,"id":1}"#;
        let count = 300;
        peer.send(format!("[{add},{add},{add}]").repeat(count));
        peer.finish();
        let answers = String::from_utf8(peer.rest()).expect("it is text");
        assert_eq!(answers.lines().filter(|answer| *answer == format!("[{sum},{sum},{sum}]")).count(), count);
    });
}

#[test]
fn calls_that_wait_at_the_server() {
    on_one_worker(|| {
        let (server, desk) = serve_with(Server::builder().waiting_max(1));
        let mut one = Peer::connect(&server);
        one.send(request(1, "pass", []));
        desk.turnstile.wait_for(1);
        let mut other = Peer::connect(&server);
        assert_eq!(other.failure(1, "add", [3.into(), 5.into()]), (OVERLOADED, "no".into()));
        desk.turnstile.open();
        assert_eq!(one.response(), Some((1, Value::Nil, Value::Nil)));
        assert_eq!(other.call(2, "add", [3.into(), 5.into()]), 8.into());
    });
}

#[test]
fn a_message_that_drips_in() {
    let ((), log) = log::capture(|| {
        on_one_worker(|| {
            let (server, _) = serve_with(Server::builder().frame_timeout(Duration::from_millis(50)));
            let mut slow = Peer::connect(&server);
            let message = request(1, "add", [3.into(), 5.into()]);
            slow.send(&message[..message.len() - 1]);
            assert_eq!(slow.response(), None);
        });
    });
    assert!(log.iter().any(|line| line.contains("not there as a whole")), "{log:?}");
}

/// A body in chunks is held as one with a length is.
#[test]
fn bodies_that_come_in_part() {
    on_one_worker(|| {
        let (server, _) = serve_with(Server::builder().buffered_bytes_max(100_000));
        let head = "POST /calculator/add HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
        for (begin, piece) in [
            ("Content-Length: 1000000\r\n\r\n", " ".repeat(50_000)),
            ("Transfer-Encoding: chunked\r\n\r\n", format!("{:x}\r\n{}\r\n", 50_000, " ".repeat(50_000))),
            ("Transfer-Encoding: chunked\r\n\r\n", format!("1\r\n{}\r\n", " ").repeat(50_000)),
        ] {
            let mut peer = Peer::connect(&server);
            peer.send([head, begin].concat());
            for _ in 0..4 {
                // It may have been cut already.
                let _ = peer.stream.write_all(piece.as_bytes());
            }
            let answer = peer.answer().map(|answer| answer.status);
            assert_eq!(answer, Some(503), "{begin}");
            assert_eq!(peer.answer().map(|answer| answer.status), None);
        }
        // What was held is held no more.
        let mut peer = Peer::connect(&server);
        for _ in 0..3 {
            let piece = format!("{:x}\r\n{}\r\n", 90_000, " ".repeat(90_000));
            peer.send([head, "Transfer-Encoding: chunked\r\n\r\n", &piece, "5\r\n[3,5]\r\n0\r\n\r\n"].concat());
            assert_eq!(peer.answer().expect("an answer").body, b"8");
        }
    });
}

#[test]
fn replies_that_nobody_reads() {
    on_one_worker(|| {
        let mut limits = Limits::default();
        limits.buffered_bytes = 64 * 1024;
        let (server, _) = serve_with(Server::builder().limits(limits));
        let mut peer = Peer::connect(&server);
        // Far more than the sockets hold.
        let count = 64;
        for id in 0..count {
            peer.send(request(id, "blanks", [1_000_000.into()]));
        }
        let mut answered: Vec<_> = (0..count).map(|_| peer.response().expect("each has one").0).collect();
        answered.sort_unstable();
        assert_eq!(answered, (0..u64::from(count)).collect::<Vec<_>>());
    });
}
