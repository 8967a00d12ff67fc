//! An idempotent call that takes longer than nearly all others is sent once more; the first answer counts, and the other copy is cancelled.

use std::time::Duration;

use fibra::net::TcpListener;
use fibra::rpc::client::{Hedging, RetryPolicy};
use fibra::rpc::{CallError, Channel, Executed};

use crate::support::raw::{self, CALL, CANCEL, FAILURE, REPLY, Raw};
use crate::support::stub::Stub;
use crate::support::{DeskClient, LOOPBACK, join, on_one_worker, wait_until};

fn connect() -> (DeskClient, Raw) {
    let listener = TcpListener::bind(LOOPBACK).expect("a free port");
    let addr = listener.local_addr().expect("it is bound");
    let connecting = fibra::spawn(move || Channel::connect(addr).expect("it listens"));
    let server = Raw::accept(&listener, &raw::Opened::default()).0;
    let desk = DeskClient::new(join(connecting)).hedge(Hedging::after(Duration::from_millis(20)));
    (desk.retry(RetryPolicy::never()), server)
}

fn call(server: &mut Raw) -> u64 {
    let (kind, xid, _) = server.receive().expect("a frame");
    assert_eq!(kind, CALL);
    xid
}

#[test]
fn the_second_answers_first() {
    on_one_worker(|| {
        let (desk, mut server) = connect();
        let sum = fibra::spawn({
            let desk = desk.clone();
            move || desk.add(3, 5)
        });
        let (first, second) = (call(&mut server), call(&mut server));
        assert_ne!(first, second);
        server.send(&raw::frame(REPLY, second, &[8]));
        assert_eq!(join(sum).expect("a sum"), 8);
        assert_eq!(server.receive(), Some((CANCEL, first, vec![])));
        // Too late, and to nobody.
        server.send(&raw::frame(REPLY, first, &[8]));
        wait_until(|| desk.channel().stats().late_replies == 1);
        let stats = desk.channel().stats();
        assert_eq!((stats.calls, stats.attempts, stats.hedges, stats.in_flight), (1, 2, 1, 0));
    });
}

#[test]
fn the_first_answers_first() {
    on_one_worker(|| {
        let (desk, mut server) = connect();
        let sum = fibra::spawn(move || desk.add(3, 5));
        let (first, second) = (call(&mut server), call(&mut server));
        server.send(&raw::frame(REPLY, first, &[8]));
        assert_eq!(join(sum).expect("a sum"), 8);
        assert_eq!(server.receive(), Some((CANCEL, second, vec![])));
    });
}

#[test]
fn a_refusal_does_not_win() {
    on_one_worker(|| {
        let (desk, mut server) = connect();
        let sum = fibra::spawn(move || desk.add(3, 5));
        let (first, second) = (call(&mut server), call(&mut server));
        server.send(&raw::frame(FAILURE, second, &[6, 0, 0]));
        fibra::yield_now();
        server.send(&raw::frame(REPLY, first, &[8]));
        assert_eq!(join(sum).expect("a sum"), 8);
    });
}

/// What runs at most once is sent once.
#[test]
fn other_calls_are_not_hedged() {
    on_one_worker(|| {
        let (desk, mut server) = connect();
        let passing = fibra::spawn({
            let desk = desk.clone();
            move || desk.within(Duration::from_millis(100)).pass()
        });
        let xid = call(&mut server);
        assert_eq!(server.receive(), Some((CANCEL, xid, vec![])), "no second copy before its time is up");
        join(passing).expect_err("no answer");
    });
}

/// A server that is slow for all gets a tenth more, and a few to begin with.
#[test]
fn no_more_than_a_tenth_are() {
    on_one_worker(|| {
        let server = Stub::start(|_, xid| {
            let _ = fibra::sleep(Duration::from_millis(2));
            raw::frame(REPLY, xid, &[8])
        });
        let desk = DeskClient::new(Channel::connect(server.addr()).expect("it listens"));
        let desk = desk.hedge(Hedging::after(Duration::ZERO));
        for _ in 0..100 {
            assert_eq!(desk.add(3, 5).expect("a sum"), 8);
        }
        let stats = desk.channel().stats();
        assert_eq!(stats.calls, 100);
        assert!((10..=14).contains(&stats.hedges), "{stats:?}");
    });
}

/// Both are refused, and neither has been sent before: then neither has run.
#[test]
fn two_refusals_say_that_it_has_not_run() {
    on_one_worker(|| {
        let (desk, mut server) = connect();
        let sum = fibra::spawn(move || desk.add(3, 5));
        let (first, second) = (call(&mut server), call(&mut server));
        for xid in [second, first] {
            server.send(&raw::frame(FAILURE, xid, &[6, 0, 0]));
        }
        let error = join(sum).expect_err("it is refused");
        assert!(matches!(error, CallError::Overloaded { .. }), "{error:?}");
        assert_eq!(error.executed(), Executed::No);
    });
}
