//! Who says too little for too long is not waited for: in a simulation, whose clock need not be waited for, either.

use std::io::{Read, Write};
use std::time::Duration;

use fibra::net::TcpStream;
use fibra::rpc::Server;
use fibra::rpc::limits::{FRAME_TIMEOUT, HTTP_HEAD_TIMEOUT, HTTP_IDLE_TIMEOUT, PREFACE_TIMEOUT};
use fibra::sim::Sim;

const ADDR: &str = "server:7000";

/// What a client that says this, and no more, is told, and after how long.
fn told(said: &'static [u8]) -> (String, Duration) {
    let mut sim = Sim::builder().seed(1).build();
    sim.host("server", || {
        Server::builder().method("calculator.add", |(a, b): (i64, i64)| a + b).bind("0.0.0.0:7000")?.wait()?;
        Ok(())
    });
    let (tell, told) = std::sync::mpsc::channel();
    sim.client("client", move || {
        let mut stream = TcpStream::connect(ADDR)?;
        let begin = fibra::clock::now();
        stream.write_all(said)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        tell.send((answer, fibra::clock::now() - begin)).map_err(|_| "it is received")?;
        Ok(())
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
    told.recv().expect("it was told")
}

/// Within a second, in which last words may be waited for.
fn is_about(took: Duration, expected: Duration) {
    assert!(took >= expected && took < expected + Duration::from_secs(2), "{took:?}, not {expected:?}");
}

#[test]
fn whose_first_bytes_say_nothing_yet() {
    for said in [&b"PO"[..], b"content"] {
        let (answer, took) = told(said);
        assert_eq!(answer, "");
        is_about(took, PREFACE_TIMEOUT);
    }
}

#[test]
fn whose_head_does_not_end() {
    let (answer, took) = told(b"GET /healthz HTTP/1.1\r\nHost: a\r\n");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    is_about(took, HTTP_HEAD_TIMEOUT);
}

#[test]
fn whose_body_does_not_end() {
    let (answer, took) =
        told(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n[");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    is_about(took, FRAME_TIMEOUT);
}

#[test]
fn who_asks_nothing_more_over_http() {
    let (answer, took) = told(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("serving\n"), "{answer}");
    is_about(took, HTTP_IDLE_TIMEOUT);
}

#[test]
fn whose_message_does_not_end() {
    for said in [&b"{\"jsonrpc\":"[..], b"\x94\x00\x01\xa3ad", b"Content-Length: 5\r\n\r\n{"] {
        let (answer, took) = told(said);
        assert_eq!(answer, "");
        is_about(took, FRAME_TIMEOUT);
    }
}
