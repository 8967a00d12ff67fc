//! A handler's values of `fiber_local!` are its call's in every dialect: none finds what another has left, and they are gone before its answer is there.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fibra::fiber_local;
use fibra::rpc::server::Builder;
use fibra::rpc::{Limits, Server};

use crate::support::http::post;
use crate::support::msgpack::request;
use crate::support::peer::Peer;
use crate::support::{LOOPBACK, on_one_worker};

static DROPPED: AtomicU64 = AtomicU64::new(0);

struct Mine(Cell<u64>);

impl Drop for Mine {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Ordering::SeqCst);
    }
}

fiber_local! {
    static COUNT: Mine = Mine(Cell::new(0));
}

fn count() -> u64 {
    COUNT.with(|count| count.0.replace(count.0.get() + 1))
}

const CALL: &str = r#"{"jsonrpc":"2.0","method":"locals.count","id":1}"#;
const ANSWER: &str = r#"{"jsonrpc":"2.0","result":0,"id":1}"#;

fn check(builder: Builder) {
    DROPPED.store(0, Ordering::SeqCst);
    let builder = builder.queue_delay_max(Duration::MAX);
    let server = builder.method("locals.count", |(): ()| count()).bind(LOOPBACK).expect("a free port");
    let mut rpc = Peer::connect(&server);
    for _ in 0..3 {
        assert_eq!(rpc.call(1, "locals.count", []), 0.into());
    }
    rpc.send(request(1, "locals.count", []).repeat(3));
    for _ in 0..3 {
        assert_eq!(rpc.response().map(|(_, _, count)| count), Some(0.into()));
    }
    assert_eq!(DROPPED.load(Ordering::SeqCst), 6);
    let batch = format!("[{CALL},{CALL},{CALL}]");
    let answers = format!("[{ANSWER},{ANSWER},{ANSWER}]");
    let mut http = Peer::connect(&server);
    assert_eq!(http.request(&post("/locals/count", "")).body, b"0");
    assert_eq!(http.request(&post("/locals/count", "")).body, b"0");
    assert_eq!(String::from_utf8_lossy(&http.request(&post("/", &batch)).body), answers);
    let mut json = Peer::connect(&server);
    json.send(batch);
    json.finish();
    assert_eq!(String::from_utf8_lossy(&json.rest()), format!("{answers}\n"));
    assert_eq!(DROPPED.load(Ordering::SeqCst), 14);
}

/// One test: what they count is the same.
#[test]
fn however_its_server_runs_it() {
    on_one_worker(|| check(Server::builder()));
    on_one_worker(|| {
        let mut limits = Limits::default();
        limits.in_flight = 1;
        // The calls of a batch run one after the other.
        check(Server::builder().limits(limits));
    });
    check(Server::builder().thread_per_connection());
}
