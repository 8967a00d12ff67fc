//! Requests that another might read otherwise, that never end or are too large: each is told so by its status, its connection ends, and nothing
//! behind it is taken for a request.

use std::time::Duration;

use fibra::rpc::{Limits, Server};
use serde_json::json;

use crate::support::http::{get, post};
use crate::support::peer::Peer;
use crate::support::{connect, on_one_worker, serve_with};

fn limited() -> fibra::rpc::server::Builder {
    let mut limits = Limits::default();
    limits.frame_bytes = 1024;
    Server::builder().limits(limits)
}

/// It is answered by that status, the connection ends, and what is smuggled behind it has not run.
fn is_refused(request: &str, status: u16) {
    on_one_worker(|| {
        let (server, desk) = serve_with(limited());
        let mut other = Peer::connect(&server);
        assert_eq!(other.request(&post("/add", "[3,5]")).json(), json!(8));
        let mut peer = Peer::connect(&server);
        assert_eq!(peer.request(&post("/add", "[3,5]")).json(), json!(8));
        peer.send([request, &post("/count_up", "[]")].concat());
        let answer = peer.answer().expect("an answer");
        assert_eq!((answer.status, answer.field("connection")), (status, Some("close")), "{request:?}");
        assert!(peer.answer().is_none(), "closed");
        assert_eq!(desk.count.load(std::sync::atomic::Ordering::Relaxed), 0, "{request:?}");
        assert_eq!(other.request(&post("/add", "[3,5]")).json(), json!(8), "another goes on");
        assert_eq!(connect(&server).add(3, 5).expect("a sum"), 8);
    });
}

fn with(fields: &str, body: &str) -> String {
    format!("POST /add HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{fields}\r\n{body}")
}

#[test]
fn two_lengths() {
    is_refused(&with("Content-Length: 5\r\nContent-Length: 5\r\n", "[3,5]"), 400);
    is_refused(&with("Content-Length: 5\r\nContent-Length: 0\r\n", "[3,5]"), 400);
    is_refused(&with("Content-Length: 5, 5\r\n", "[3,5]"), 400);
}

#[test]
fn a_length_and_chunks() {
    let chunks = "5\r\n[3,5]\r\n0\r\n\r\n";
    is_refused(&with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", chunks), 400);
    is_refused(&with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", chunks), 400);
    is_refused(&with("Transfer-Encoding: gzip, chunked\r\n", chunks), 501);
    is_refused(&with("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", chunks), 501);
    is_refused("POST /add HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
}

#[test]
fn lines_that_go_on_or_end_otherwise() {
    is_refused(&with("X: a\r\n b\r\nContent-Length: 5\r\n", "[3,5]"), 400);
    is_refused(&with("X: a\nContent-Length: 5\r\n", "[3,5]"), 400);
    is_refused(&with("Content-Length : 5\r\n", "[3,5]"), 400);
    is_refused("POST /add HTTP/1.1\nHost: a\n\n", 400);
}

#[test]
fn chunk_sizes_that_are_none() {
    for chunks in [
        "5 \r\n[3,5]\r\n0\r\n\r\n",
        "+5\r\n[3,5]\r\n0\r\n\r\n",
        "0x5\r\n[3,5]\r\n0\r\n\r\n",
        "5\n[3,5]\r\n0\r\n\r\n",
        "4\r\n[3,5]\r\n0\r\n\r\n",
        "5\r\n[3,5]0\r\n\r\n",
        "5\r\n[3,5]\r\n0\r\nX: a\n\r\n",
        "-1\r\n",
    ] {
        is_refused(&with("Transfer-Encoding: chunked\r\n", chunks), 400);
    }
}

#[test]
fn a_host_that_is_not_one() {
    is_refused("POST /add HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 400);
    is_refused(&with("Host: b\r\nContent-Length: 0\r\n", ""), 400);
}

#[test]
fn what_is_too_large() {
    is_refused(&with("Content-Length: 1025\r\n", ""), 413);
    is_refused(&with("Content-Length: 99999999999999999999999999\r\n", ""), 413);
    is_refused(&with("Transfer-Encoding: chunked\r\n", "401\r\n"), 413);
    is_refused(&with(&format!("X: {}\r\n", "a".repeat(9000)), ""), 431);
    is_refused(&with(&"X: a\r\n".repeat(70), ""), 431);
    is_refused(&with("Expect: miracles\r\nContent-Length: 0\r\n", ""), 417);
    is_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
}

#[test]
fn what_drips_in() {
    on_one_worker(|| {
        let (server, _) = serve_with(Server::builder().frame_timeout(Duration::from_millis(50)));
        for begun in [&b"GET /healthz HT"[..], with("Content-Length: 5\r\n", "[3").as_bytes()] {
            let mut peer = Peer::connect(&server);
            peer.send(begun);
            assert_eq!(peer.answer().expect("an answer").status, 408);
            assert!(peer.answer().is_none(), "closed");
        }
        let mut other = Peer::connect(&server);
        assert_eq!(other.request(&get("/healthz")).status, 200);
    });
}

#[test]
fn what_ends_too_early() {
    on_one_worker(|| {
        let (server, desk) = serve_with(Server::builder());
        let whole = post("/count_up", "[ ]");
        for len in 1..whole.len() {
            let mut peer = Peer::connect(&server);
            peer.send(&whole.as_bytes()[..len]);
            peer.finish();
            assert_eq!(peer.rest(), b"", "{len}");
        }
        assert_eq!(desk.count.load(std::sync::atomic::Ordering::Relaxed), 0);
    });
}
