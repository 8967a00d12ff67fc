//! Peers of different versions find out at once, and say which.

use std::io::{Read, Write};

use fibra::net::TcpListener;
use fibra::rpc::ConnectError;

use crate::support::raw::{self, Raw};
use crate::support::{DeskClient, LOOPBACK, log, on_one_worker, serve};

#[test]
fn a_newer_client_is_told_the_servers_version() {
    let ((), log) = log::capture(|| {
        on_one_worker(|| {
            let (server, _) = serve();
            let mut newer = Raw::connect_silently(server.local_addr());
            newer.send(b"\xC1fibra\x09\x00");
            let mut answer = Vec::new();
            newer.stream.read_to_end(&mut answer).expect("an answer, and the end");
            assert_eq!(answer, raw::PREFACE);
        });
    });
    assert!(log.iter().any(|line| line.contains("unknown version") && line.contains("version=9")), "{log:?}");
}

/// Answers one client with these bytes.
fn connect_to_one_that_says(answer: &'static [u8]) -> ConnectError {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        fibra::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            stream.read_exact(&mut [0; 8]).expect("a preface");
            stream.write_all(answer).expect("it reads");
        });
        DeskClient::connect(addr).expect_err("not a fibra server of our version")
    })
}

#[test]
fn a_newer_server_is_a_typed_error() {
    let error = connect_to_one_that_says(b"\xC1fibra\x09\x00");
    assert!(matches!(error, ConnectError::Version { ours: 3, theirs: 9, .. }), "{error:?}");
}

#[test]
fn another_protocol_is_a_typed_error() {
    let error = connect_to_one_that_says(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    assert!(matches!(error, ConnectError::NotFibra { .. }), "{error:?}");
}
