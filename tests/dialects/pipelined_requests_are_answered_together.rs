//! What came with one read is answered with one write, in every dialect, and no answer waits for a later request that does.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fibra::net::TcpStream;
use fibra::rpc::server::Builder;
use fibra::rpc::{Limits, Server};
use fibra::sim::{Latency, Sim};

use crate::support::http::post;
use crate::support::msgpack::{bytes, notification, request};
use crate::support::peer::Peer;
use crate::support::{on_one_worker, serve_with};

const REQUESTS: usize = 64;

/// A server that refuses nothing for having waited, however slow the machine is.
fn patient() -> Builder {
    Server::builder().queue_delay_max(Duration::MAX)
}

/// The reads in which a client gets the answers to so many of these, which it sends at once.
fn reads(request: &'static [u8], method: fn(i64, i64) -> i64) -> Vec<usize> {
    let mut sim = Sim::builder().seed(1).latency(Latency::fixed(Duration::from_millis(1))).build();
    sim.host("server", move || {
        let server = Server::builder().method("calculator.add", move |(a, b): (i64, i64)| method(a, b));
        server.bind("0.0.0.0:7000")?.wait()?;
        Ok(())
    });
    let (tell, told) = std::sync::mpsc::channel();
    sim.client("client", move || {
        let mut stream = TcpStream::connect("server:7000")?;
        let mut buffer = vec![0; 1 << 16];
        stream.write_all(request)?;
        let answer = stream.read(&mut buffer)?;
        stream.write_all(&request.repeat(REQUESTS))?;
        let mut left = answer * REQUESTS;
        while left > 0 {
            let count = stream.read(&mut buffer)?;
            assert!((1..=left).contains(&count), "{count} of {left}");
            left -= count;
            tell.send(count / answer)?;
        }
        Ok(())
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
    told.iter().collect()
}

const ALL: [&[u8]; 5] = [
    b"\x94\x00\x01\xaecalculator.add\x92\x03\x05",
    b"{\"jsonrpc\":\"2.0\",\"method\":\"calculator.add\",\"params\":[3,5],\"id\":1}",
    b"{\"method\":\"Calculator.Add\",\"params\":[[3,5]],\"id\":1}\n",
    b"Content-Length: 65\r\n\r\n{\"jsonrpc\":\"2.0\",\"method\":\"calculator.add\",\"params\":[3,5],\"id\":1}",
    b"POST /calculator/add HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n[3,5]",
];

#[test]
fn what_came_with_one_read_is_answered_with_one_write() {
    for request in ALL {
        assert_eq!(reads(request, |a, b| a + b), [REQUESTS], "{}", request.escape_ascii());
    }
}

/// Whoever yields lets go of the answers that are there.
#[test]
fn handlers_that_yield_are_answered_too() {
    for request in ALL {
        let answered = reads(request, |a, b| {
            fibra::yield_now();
            a + b
        });
        assert_eq!(answered.iter().sum::<usize>(), REQUESTS, "{}", request.escape_ascii());
    }
}

#[test]
fn no_answer_waits_for_a_later_request_that_parks() {
    on_one_worker(|| {
        let (server, desk) = serve_with(patient());
        let mut peer = Peer::connect(&server);
        let all =
            [request(1, "add", [3.into(), 5.into()]), request(2, "add", [3.into(), 6.into()]), request(3, "pass", [])];
        peer.send(all.concat());
        assert_eq!(peer.response().map(|(id, _, sum)| (id, sum)), Some((1, 8.into())));
        assert_eq!(peer.response().map(|(id, _, sum)| (id, sum)), Some((2, 9.into())));
        desk.turnstile.open();
        assert_eq!(peer.response().map(|(id, ..)| id), Some(3));
    });
}

#[test]
fn nor_over_http() {
    on_one_worker(|| {
        let (server, desk) = serve_with(patient());
        let mut peer = Peer::connect(&server);
        peer.send(
            [post("/calculator/add", "[3,5]"), post("/calculator/add", "[3,6]"), post("/calculator/pass", "")].concat(),
        );
        assert_eq!(peer.answer().expect("an answer").body, b"8");
        assert_eq!(peer.answer().expect("an answer").body, b"9");
        desk.turnstile.open();
        assert_eq!(peer.answer().expect("an answer").body, b"null");
    });
}

#[test]
fn nor_for_one_that_goes_on_without_waiting() {
    on_one_worker(|| {
        let goes_on = Arc::new(AtomicBool::new(true));
        let while_it_does = Arc::clone(&goes_on);
        // Until its deadline at the latest.
        let spin = move |(): ()| {
            while while_it_does.load(Ordering::Relaxed) && fibra::cancel::check().is_ok() {
                fibra::yield_now();
            }
            while_it_does.store(false, Ordering::Relaxed);
        };
        let (server, _) = serve_with(patient().method("spin.round", spin));
        let mut rpc = Peer::connect(&server);
        rpc.send([request(1, "add", [3.into(), 5.into()]), request(2, "spin.round", [])].concat());
        assert_eq!(rpc.response().map(|(id, ..)| id), Some(1));
        let mut http = Peer::connect(&server);
        http.send([post("/calculator/add", "[3,5]"), post("/spin/round", "")].concat());
        assert_eq!(http.answer().expect("an answer").body, b"8");
        assert!(goes_on.swap(false, Ordering::Relaxed), "the answers have waited for it");
        assert_eq!(rpc.response().map(|(id, ..)| id), Some(2));
        assert_eq!(http.answer().expect("an answer").body, b"null");
    });
}

/// What has no answer of its own, or is answered at once, lets go of the others'.
#[test]
fn nor_for_one_that_is_not_answered() {
    on_one_worker(|| {
        let (server, _) = serve_with(patient());
        let mut peer = Peer::connect(&server);
        let add = || request(1, "add", [3.into(), 5.into()]);
        let no_params = bytes(&rmpv::Value::Array(vec![0.into(), 2.into(), "add".into(), 3.into()]));
        for (last, answers) in [(notification("count_up", []), 1), (notification("no.such", []), 1), (no_params, 2)] {
            peer.send([add(), last].concat());
            for _ in 0..answers {
                peer.response().expect("an answer");
            }
        }
        let half = request(3, "add", [3.into(), 5.into()]);
        peer.send([&add()[..], &half[..5]].concat());
        assert_eq!(peer.response().map(|(id, ..)| id), Some(1));
        peer.send(&half[5..]);
        assert_eq!(peer.response().map(|(id, ..)| id), Some(3));
        let mut http = Peer::connect(&server);
        let half = post("/calculator/add", "[3,6]");
        for cut in [1, half.len() - 1] {
            http.send([&post("/calculator/add", "[3,5]"), &half[..cut]].concat());
            assert_eq!(http.answer().expect("an answer").body, b"8");
            http.send(&half[cut..]);
            assert_eq!(http.answer().expect("an answer").body, b"9");
        }
    });
}

#[test]
fn more_than_there_may_be_under_way_are_answered_or_refused() {
    on_one_worker(|| {
        let mut limits = Limits::default();
        limits.in_flight = 2;
        let (server, desk) = serve_with(patient().limits(limits));
        let mut peer = Peer::connect(&server);
        let add = |id| request(id, "add", [3.into(), 5.into()]);
        peer.send((1..=20).flat_map(add).collect::<Vec<_>>());
        for id in 1..=20 {
            assert_eq!(peer.response(), Some((id, rmpv::Value::Nil, 8.into())));
        }
        // One that waits leaves room for one.
        peer.send([request(1, "pass", []), (2..=5).flat_map(add).collect()].concat());
        for id in 2..=5 {
            assert_eq!(peer.response(), Some((id, rmpv::Value::Nil, 8.into())));
        }
        desk.turnstile.open();
        assert_eq!(peer.response().map(|(id, ..)| id), Some(1));
    });
}

/// A client that does not read its answers is not read from; the memory that it takes is bounded, and nothing is lost when it goes on.
#[test]
fn large_answers_do_not_pile_up() {
    on_one_worker(|| {
        let mut limits = Limits::default();
        limits.buffered_bytes = 64 * 1024;
        let (server, _) = serve_with(patient().limits(limits));
        let mut peer = Peer::connect(&server);
        const LEN: u64 = 300_000;
        peer.send((1..=40).flat_map(|id| request(id, "blanks", [LEN.into()])).collect::<Vec<_>>());
        for _ in 1..=40 {
            let (_, error, blanks) = peer.response().expect("an answer");
            assert_eq!((error, blanks.as_str().map(str::len)), (rmpv::Value::Nil, Some(LEN as usize)));
        }
        let mut http = Peer::connect(&server);
        http.send(post("/calculator/blanks", &format!("[{LEN}]")).repeat(20));
        for _ in 1..=20 {
            assert_eq!(http.answer().expect("an answer").body.len(), LEN as usize + 2);
        }
    });
}
