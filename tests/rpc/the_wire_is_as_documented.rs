//! The example at the end of `docs/wire-format.md`, byte by byte, against a server and against a client.

use std::io::{Read, Write};

use fibra::net::{TcpListener, TcpStream};
use fibra::rpc::Server;

use crate::support::{LOOPBACK, join, on_one_worker};

#[fibra::service]
pub(crate) trait Calculator {
    fn add(&self, a: i64, b: i64) -> i64;
}

struct Arithmetic;

impl Calculator for Arithmetic {
    fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }
}

/// What one side says in the document's example.
fn documented(side: &str) -> Vec<u8> {
    let document = include_str!("../../docs/wire-format.md");
    let example = document.split("## An example").nth(1).expect("the section");
    let example = example.split("```").nth(1).expect("the block").trim_start_matches("text\n");
    let mut speaker = "";
    let mut bytes = Vec::new();
    for line in example.lines() {
        let (who, rest) = line.split_at_checked(8).unwrap_or((line, ""));
        if !who.trim().is_empty() {
            speaker = who.trim();
        }
        if speaker == side {
            // The dump ends where three blanks begin; what follows is for people.
            let dump = rest.split("   ").next().unwrap_or_default();
            bytes.extend(dump.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).expect("two hex digits")));
        }
    }
    bytes
}

#[test]
fn a_server_answers_the_documented_bytes() {
    on_one_worker(|| {
        let server = Server::builder().service(CalculatorServer::new(Arithmetic)).bind(LOOPBACK).expect("a free port");
        let mut stream = TcpStream::connect(server.local_addr()).expect("it listens");
        stream.write_all(&documented("client")).expect("it reads");
        let expected = documented("server");
        let mut answer = vec![0; expected.len()];
        stream.read_exact(&mut answer).expect("it answers");
        // Its incarnation is random.
        answer[24..32].copy_from_slice(&expected[24..32]);
        assert_eq!(answer, expected);
    });
}

#[test]
fn a_client_sends_the_documented_bytes() {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let server = fibra::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let (expected, answer) = (documented("client"), documented("server"));
            let mut asked = vec![0; expected.len()];
            stream.read_exact(&mut asked[..8]).expect("a preface");
            stream.write_all(&answer[..8]).expect("it reads");
            stream.read_exact(&mut asked[8..75]).expect("an open");
            stream.write_all(&answer[8..38]).expect("it reads");
            stream.read_exact(&mut asked[75..]).expect("a call");
            stream.write_all(&answer[38..]).expect("it reads");
            // The time that is left differs from run to run; it is the ten seconds of the default, and a bit less.
            let timeout = asked.splice(91..99, expected[91..99].iter().copied()).collect::<Vec<_>>();
            let micros = u64::from_be_bytes(timeout.try_into().expect("eight bytes"));
            assert!((9_000_000..=10_000_000).contains(&micros), "{micros}");
            // The client and its secret are random.
            asked[24..40].copy_from_slice(&expected[24..40]);
            asked[59..75].copy_from_slice(&expected[59..75]);
            assert_eq!(asked, expected);
        });
        let proxy = CalculatorClient::connect(addr).expect("it listens");
        assert_eq!(proxy.add(3, 5).expect("a sum"), 8);
        join(server);
    });
}
