//! Any number of calls are under way at once over one connection, and answers come in any order; over HTTP each call has a connection to itself,
//! which is used again.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{PROTOCOLS, connect, lines, on_one_worker, peer, serve};

/// The member of that name, a number.
fn member(line: &str, name: &str) -> u64 {
    let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
    value.pointer(name).and_then(serde_json::Value::as_u64).expect("a number")
}

#[test]
fn answers_come_in_any_order() {
    const CALLS: usize = 100;
    on_one_worker(|| {
        let addr = peer(|stream| {
            // All at once, the last first, with what is for nobody between.
            let calls: Vec<String> = lines(&stream).take(CALLS).collect();
            for line in calls.iter().rev() {
                let (id, number) = (member(line, "/id"), member(line, "/params/0"));
                let answer = format!(
                    "{{\"jsonrpc\":\"2.0\",\"method\":\"hello\"}}{{\"id\":4000000000,\"result\":1}}{{\"id\":{id},\"result\":{}}}",
                    number * 2
                );
                (&stream).write_all(answer.as_bytes()).expect("it reads");
            }
        });
        let server = connect("jsonrpc", addr);
        let callers: Vec<_> = (0..CALLS as u64)
            .map(|number| {
                let server = server.clone();
                fibra::spawn(move || server.call::<_, u64>("double", &(number,)))
            })
            .collect();
        for (number, caller) in callers.into_iter().enumerate() {
            assert_eq!(caller.join().expect("no panic").expect("an answer"), number as u64 * 2);
        }
    });
}

/// Who connects may have a deadline, such as that of the call which a handler serves; the connection has none.
#[test]
fn it_outlives_the_deadline_of_who_connected() {
    on_one_worker(|| {
        let server = serve();
        for protocol in PROTOCOLS {
            let soon = Duration::from_millis(100);
            let calculator = fibra::cancel::with_timeout(soon, || connect(protocol, server.local_addr()));
            fibra::sleep(2 * soon).expect("nobody cancels it");
            let sum = calculator.call::<_, i64>("calculator.add", &(3, 5));
            assert_eq!(sum.unwrap_or_else(|error| panic!("{protocol}: {error:?}")), 8);
        }
    });
}

/// A server that calls its client is told that there is nothing to call.
#[test]
fn a_call_of_the_servers_is_refused() {
    on_one_worker(|| {
        let addr = peer(|stream| {
            let mut lines = lines(&stream);
            let call = lines.next().expect("a call");
            (&stream).write_all(b"{\"jsonrpc\":\"2.0\",\"id\":\"mine\",\"method\":\"ask\"}\n").expect("it reads");
            let refusal = lines.next().expect("an answer");
            assert!(refusal.contains("\"id\":\"mine\"") && refusal.contains("-32601"), "{refusal}");
            let answer = format!("{{\"id\":{},\"result\":true}}\n", member(&call, "/id"));
            (&stream).write_all(answer.as_bytes()).expect("it reads");
        });
        assert!(connect("jsonrpc", addr).call::<_, bool>("x", &[(); 0]).expect("an answer"));
    });
}

#[test]
fn http_connections_are_used_again_unless_they_have_been_closed() {
    on_one_worker(|| {
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let addr = peer(move |stream| {
            // The first connection has two answers, and then it is closed in silence.
            let left = if counted.fetch_add(1, Ordering::SeqCst) == 0 { 2 } else { usize::MAX };
            let mut lines = lines(&stream);
            for _ in 0..left {
                if lines.by_ref().find(|line| line.starts_with("Content-Length")).is_none() {
                    return;
                }
                let body = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":7}";
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
                    body.len()
                );
                (&stream).write_all(answer.as_bytes()).expect("it reads");
                // What was sent ends without a line end: the blank line and it are passed over with the next head.
            }
        });
        let server = connect("http", addr);
        for _ in 0..2 {
            assert_eq!(server.call::<_, u64>("seven", &[(); 0]).expect("an answer"), 7);
        }
        assert_eq!(connections.load(Ordering::SeqCst), 1);
        for _ in 0..3 {
            assert_eq!(server.call::<_, u64>("seven", &[(); 0]).expect("an answer"), 7);
        }
        assert_eq!(connections.load(Ordering::SeqCst), 2);
    });
}
