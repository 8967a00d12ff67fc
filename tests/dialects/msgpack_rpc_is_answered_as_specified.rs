//! Requests, notifications and responses, names in every spelling, in whichever order they are ready.

use rmpv::Value;

use crate::support::msgpack::{bytes, notification, request};
use crate::support::peer::Peer;
use crate::support::{on_one_worker, serve, serve_with};
use fibra::rpc::Server;

#[test]
fn a_method_has_many_names() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut peer = Peer::connect(&server);
        for (id, name) in ["calculator.add", "add", "Calculator.Add", "Calculator/Add"].into_iter().enumerate() {
            let id = u32::try_from(id).expect("four of them");
            assert_eq!(peer.call(id, name, [3.into(), 5.into()]), 8.into(), "{name}");
        }
        let by_name = Value::Map(vec![("b".into(), 5.into()), ("a".into(), 3.into())]);
        peer.send(bytes(&Value::Array(vec![0.into(), 7.into(), Value::Binary(b"add".to_vec()), by_name])));
        assert_eq!(peer.response(), Some((7, Value::Nil, 8.into())));
    });
}

#[test]
fn a_bare_name_that_two_services_have_is_none() {
    on_one_worker(|| {
        let (server, _) = serve_with(Server::builder().method("other.add", |(a,): (i64,)| a));
        let mut peer = Peer::connect(&server);
        assert_eq!(peer.failure(1, "add", [3.into(), 5.into()]), (3, "no".into()));
        assert_eq!(peer.call(2, "other.add", [3.into()]), 3.into());
        assert_eq!(peer.failure(3, "list", []), (3, "no".into()), "fibra's own are called by their full names");
    });
}

#[test]
fn a_slow_request_stalls_no_other() {
    on_one_worker(|| {
        let (server, desk) = serve();
        let mut peer = Peer::connect(&server);
        peer.send(request(1, "pass", []));
        desk.turnstile.wait_for(1);
        assert_eq!(peer.call(2, "add", [3.into(), 5.into()]), 8.into());
        desk.turnstile.open();
        assert_eq!(peer.response(), Some((1, Value::Nil, Value::Nil)));
    });
}

#[test]
fn two_requests_with_one_id_are_both_answered() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut peer = Peer::connect(&server);
        peer.send([request(9, "add", [1.into(), 1.into()]), request(9, "add", [1.into(), 1.into()])].concat());
        assert_eq!(peer.response(), Some((9, Value::Nil, 2.into())));
        assert_eq!(peer.response(), Some((9, Value::Nil, 2.into())));
    });
}

#[test]
fn a_notification_is_run_and_not_answered() {
    on_one_worker(|| {
        let (server, desk) = serve();
        let mut peer = Peer::connect(&server);
        peer.send([notification("count_up", []), notification("no.such", []), notification("add", [])].concat());
        assert_eq!(peer.call(1, "count_up", []), 2.into());
        assert_eq!(desk.count.load(std::sync::atomic::Ordering::Relaxed), 2);
    });
}

#[test]
fn failures_say_what_they_are() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut peer = Peer::connect(&server);
        assert_eq!(peer.failure(1, "calculator.subtract", []), (3, "no".into()));
        assert_eq!(peer.failure(2, "add", [3.into()]), (4, "no".into()));
        assert_eq!(peer.failure(3, "add", ["3".into(), 5.into()]), (4, "no".into()));
        let names = Value::Map(vec![("c".into(), 5.into())]);
        peer.send(bytes(&Value::Array(vec![0.into(), 4.into(), "add".into(), names])));
        let (id, error, _) = peer.response().expect("a response");
        assert_eq!((id, error[0].as_u64()), (4, Some(4)), "{error}");
        peer.send(bytes(&Value::Array(vec![0.into(), 5.into(), "add".into(), 3.into()])));
        let (id, error, _) = peer.response().expect("params that are none are told");
        assert_eq!((id, error[0].as_u64()), (5, Some(4)), "{error}");

        peer.send(request(6, "divide", [7.into(), 0.into()]));
        let (_, error, result) = peer.response().expect("a response");
        let own = Value::Map(vec![("ByZero".into(), Value::Map(vec![("dividend".into(), 7.into())]))]);
        let expected = vec![1.into(), "the method's own error".into(), "yes".into(), own];
        assert_eq!((error, result), (Value::Array(expected), Value::Nil));
        assert_eq!(peer.call(7, "add", [3.into(), 5.into()]), 8.into(), "the connection goes on");
    });
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_fails_its_own_call() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut peer = Peer::connect(&server);
        assert_eq!(peer.failure(1, "fail", ["out of paper".into()]), (2, "yes".into()));
        assert_eq!(peer.call(2, "add", [3.into(), 5.into()]), 8.into());
    });
}

#[test]
fn what_was_asked_is_answered_after_the_client_has_finished() {
    on_one_worker(|| {
        let (server, desk) = serve();
        let mut peer = Peer::connect(&server);
        peer.send(request(1, "pass", []));
        peer.finish();
        desk.turnstile.wait_for(1);
        desk.turnstile.open();
        assert_eq!(peer.response(), Some((1, Value::Nil, Value::Nil)));
        assert_eq!(peer.response(), None);
    });
}

#[test]
fn bytes_may_come_one_at_a_time() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut peer = Peer::connect(&server);
        peer.stream.set_nodelay(true).expect("it is connected");
        for byte in request(1, "calculator.add", [3.into(), 5.into()]) {
            peer.send([byte]);
            fibra::yield_now();
        }
        assert_eq!(peer.response(), Some((1, Value::Nil, 8.into())));
    });
}

#[test]
fn threads_serve_them_too() {
    let (server, _) = serve_with(Server::builder().thread_per_connection());
    let mut peer = Peer::connect(&server);
    assert_eq!(peer.call(1, "add", [3.into(), 5.into()]), 8.into());
    peer.send([request(2, "add", [1.into(), 1.into()]), request(3, "add", [1.into(), 2.into()])].concat());
    assert_eq!(peer.response(), Some((2, Value::Nil, 2.into())));
    assert_eq!(peer.response(), Some((3, Value::Nil, 3.into())));
    server.shutdown();
    assert_eq!(peer.response(), None);
}
