//! Whatever comes in the place of an answer is a typed error of the calls of that connection, and nothing else.

use std::io::{Read, Write};

use fibra::rpc::client::foreign::ForeignError;
use fibra::rpc::codec::Value;
use fibra::rpc::{CallError, Executed};

use crate::support::{connect, on_one_worker, peer};

/// What a call comes to if that is what it gets.
fn told(protocol: &str, bytes: Vec<u8>) -> ForeignError {
    let addr = peer(move |mut stream| {
        let _ = stream.read(&mut [0; 1000]);
        let _ = stream.write_all(&bytes);
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    connect(protocol, addr).call::<_, Value>("x", &[(); 0]).expect_err("that is no answer")
}

fn http(head: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[test]
fn bytes_that_are_no_message() {
    on_one_worker(|| {
        let long = 5 * 1024 * 1024;
        let cases = [
            ("jsonrpc", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
            ("jsonrpc", b"[{\"id\":1,\"result\":1}]\n".to_vec()),
            ("jsonrpc", b"{\"id\":1,\"result\":}\n".to_vec()),
            ("jsonrpc", b"{\"id\":1,\"result\":\"\xff\"}\n".to_vec()),
            ("jsonrpc", [b"{\"id\":1,\"result\":\"".to_vec(), vec![b'x'; long]].concat()),
            ("lsp", b"{\"id\":1}\r\n\r\n".to_vec()),
            ("lsp", format!("Content-Length: {long}\r\n\r\n").into_bytes()),
            ("lsp", b"Content-Length: 8\r\nContent-Length: 9\r\n\r\n{\"id\":1}".to_vec()),
            ("msgpack-rpc", b"{\"id\":1}".to_vec()),
            ("msgpack-rpc", b"\xc1".to_vec()),
            ("msgpack-rpc", b"\x94\x01\x01\xc0\xdd\xff\xff\xff\xff".to_vec()),
        ];
        for (protocol, bytes) in cases {
            let begin = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
            let error = told(protocol, bytes);
            let expected =
                matches!(error, ForeignError::Call(CallError::Disconnected { executed: Executed::Maybe, .. }));
            assert!(expected, "{protocol} {begin}: {error:?}");
        }
    });
}

#[test]
fn http_that_is_no_answer() {
    on_one_worker(|| {
        let long = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 5 * 1024 * 1024);
        let cases = [
            (http("200 OK", "<html>"), Executed::Maybe),
            (http("200 OK", "{\"a\":1}"), Executed::Maybe),
            (http("200 OK", "[]"), Executed::Maybe),
            (http("404 Not Found", "nothing here"), Executed::No),
            (http("401 Unauthorized", ""), Executed::No),
            (http("302 Found\r\nLocation: /", ""), Executed::No),
            (http("500 Internal Server Error", "oh"), Executed::Maybe),
            (b"SSH-2.0-x\r\n\r\n".to_vec(), Executed::Maybe),
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_vec(),
                Executed::Maybe,
            ),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n".to_vec(), Executed::Maybe),
            (long.into_bytes(), Executed::Yes),
        ];
        for (bytes, executed) in cases {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let error = told("http", bytes);
            assert_eq!(error.executed(), executed, "{text}: {error:?}");
            assert!(matches!(error, ForeignError::Call(_)), "{text}: {error:?}");
        }
    });
}

/// An error that the server explains in JSON-RPC counts, whatever the status.
#[test]
fn http_errors_with_an_explanation() {
    on_one_worker(|| {
        let body = "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"Parse error\"}}";
        for status in ["200 OK", "400 Bad Request", "500 Internal Server Error"] {
            let error = told("http", http(status, body));
            assert!(matches!(error, ForeignError::Answered { executed: Executed::No, .. }), "{status}: {error:?}");
        }
    });
}

#[test]
fn deep_nesting_fails_its_call() {
    on_one_worker(|| {
        let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
        let error = told("jsonrpc", format!("{{\"id\":1,\"result\":{open}{close}}}").into_bytes());
        assert!(matches!(error, ForeignError::Call(CallError::BadReply { executed: Executed::Yes, .. })), "{error:?}");
        let error = told("msgpack-rpc", [&b"\x94\x01\x01\xc0"[..], &[0x91; 100_000], &[0xc0]].concat());
        assert!(matches!(error, ForeignError::Call(CallError::BadReply { executed: Executed::Yes, .. })), "{error:?}");
        let error = told("jsonrpc", format!("{{\"id\":1,\"error\":{open}{close}}}").into_bytes());
        assert!(matches!(error, ForeignError::Answered { executed: Executed::Maybe, .. }), "{error:?}");
    });
}

/// What comes after that is of no use to anybody: the server sees the end of the connection.
#[test]
fn its_connection_is_closed() {
    on_one_worker(|| {
        let (ended, ends) = fibra::sync::channel::bounded(1);
        let addr = peer(move |mut stream| {
            stream.write_all(b"hello\n").expect("it reads");
            let _ = ended.send(std::io::copy(&mut stream, &mut std::io::sink()).is_ok());
        });
        let server = connect("jsonrpc", addr);
        ends.recv().expect("the end, while the client is held");
        assert_eq!(server.notify("x", &[(); 0]).expect_err("there is no connection").executed(), Executed::No);
    });
}
