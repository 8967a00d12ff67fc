//! Middleware, metrics, the handler's own request and its deadline: a call of another protocol is a call.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fibra::rpc::middleware::{Denial, Next};
use fibra::rpc::{Request, Server};

use crate::support::msgpack::request;
use crate::support::peer::Peer;
use crate::support::{on_one_worker, serve_with};

#[test]
fn middleware_sees_and_refuses_it() {
    on_one_worker(|| {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&seen);
        let (server, desk) = serve_with(Server::builder().middleware(move |request: &mut Request, next: Next<'_>| {
            notes.lock().expect("nobody panics").push((request.method().to_owned(), request.peer()));
            if request.method() == "calculator.count_up" {
                return Denial::new("not today").into();
            }
            next.run(request)
        }));
        let mut peer = Peer::connect(&server);
        assert_eq!(peer.call(1, "add", [3.into(), 5.into()]), 8.into());
        assert_eq!(peer.failure(2, "CountUp", []), (16, "no".into()));
        assert_eq!(desk.count.load(std::sync::atomic::Ordering::Relaxed), 0);
        let addr = peer.stream.local_addr().expect("it is bound");
        let from = fibra::rpc::error::Peer::Remote(addr);
        let expected = [("calculator.add".to_owned(), from), ("calculator.count_up".to_owned(), from)];
        assert_eq!(*seen.lock().expect("nobody panics"), expected);
    });
}

#[test]
fn metrics_count_it() {
    on_one_worker(|| {
        let (server, _) = serve_with(Server::builder().metrics());
        let mut peer = Peer::connect(&server);
        assert_eq!(peer.call(1, "add", [3.into(), 5.into()]), 8.into());
        assert_eq!(peer.failure(2, "no.such", []), (3, "no".into()));
        let metrics = server.metrics();
        let has = |what: &str, labels: &[&str], value: &str| {
            metrics.lines().any(|line| {
                line.contains(what) && labels.iter().all(|label| line.contains(label)) && line.ends_with(value)
            })
        };
        assert!(has("calls", &["calculator.add"], " 1"), "{metrics}");
        assert!(has("refused", &["unknown_method"], " 1"), "{metrics}");
    });
}

#[test]
fn its_handler_has_a_deadline() {
    on_one_worker(|| {
        let left = || fibra::cancel::deadline().map(|deadline| deadline.saturating_duration_since(fibra::clock::now()));
        let millis = move |(): ()| left().map(|left| u64::try_from(left.as_millis()).expect("it is short"));
        let (server, _) = serve_with(Server::builder().method("clock.left", millis));
        let mut peer = Peer::connect(&server);
        let left = peer.call(1, "clock.left", []).as_u64().expect("it has one");
        assert!(Duration::from_millis(left) <= fibra::rpc::limits::CALL_TIMEOUT && left > 0, "{left} ms");
    });
}

#[test]
fn a_call_beside_a_native_one_is_the_same_method() {
    on_one_worker(|| {
        let (server, _) = serve_with(Server::builder());
        let native = crate::support::connect(&server);
        let mut peer = Peer::connect(&server);
        assert_eq!(native.count_up().expect("a number"), 1);
        assert_eq!(peer.call(1, "count_up", []), 2.into());
        peer.send(request(2, "count_up", []));
        assert_eq!(peer.response().expect("a response").2, 3.into());
        assert_eq!(native.count_up().expect("a number"), 4);
    });
}
