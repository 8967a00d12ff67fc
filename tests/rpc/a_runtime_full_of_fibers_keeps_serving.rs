//! With as many fibers as there may be, a new connection is closed and a call that waits holds up the others of its worker, each with a
//! warning; with room again all is as before.

use std::time::Duration;

use fibra::TooManyFibers;
use fibra::park::{self, Reason};
use fibra::rpc::stream::StreamError;
use fibra::rpc::{ConnectError, Server};

use crate::support::raw::{CREDIT, END, FAILURE, REPLY, Raw, add, call};
use crate::support::streams::{Spring, TapServer};
use crate::support::{DeskClient, LOOPBACK, connect, log, serve, wait_until};

/// One worker, on which all log on this thread. The clients here are no fibers, so a server with connections has two: one accepts, one
/// leads. A third opens a connection, and ends.
fn with_fibers<T>(fibers_max: usize, f: impl FnOnce() -> T) -> T {
    fibra::runtime::builder().workers(1).fibers_max(fibers_max).run(f).expect("the runtime starts")
}

fn answers(peer: &mut Raw) {
    peer.send(&add(1, 3, 5));
    assert_eq!(peer.receive(), Some((REPLY, 1, vec![8])));
}

/// A fiber that does nothing but exist, until it is unparked.
fn one_more() -> fibra::JoinHandle<()> {
    fibra::Builder::new().spawn_local(|| park::park(Reason::Parked)).expect("room")
}

#[test]
fn a_new_connection_is_closed_and_the_others_go_on() {
    let ((), log) = log::capture(|| {
        with_fibers(4, || {
            let (server, _) = serve();
            let mut first = Raw::connect(server.local_addr());
            wait_until(|| fibra::counters().live == 3);
            let other = one_more();
            for _ in 0..10 {
                assert_eq!(Raw::connect_silently(server.local_addr()).receive(), None, "closed");
                answers(&mut first);
            }
            assert_eq!(fibra::counters().refused, 10);

            other.unparker().unpark();
            assert!(other.join().is_ok());
            answers(&mut Raw::connect(server.local_addr()));
        });
    });
    let refused = log.iter().filter(|line| line.contains("fibers_max(") && line.contains("nothing could be started"));
    assert_eq!(refused.count(), 10, "{log:?}");
}

#[test]
fn a_call_that_waits_holds_up_its_worker_only_as_long_as_it_must() {
    let ((), log) = log::capture(|| {
        with_fibers(4, || {
            let (server, counter) = serve();
            let (mut waiting, mut held_up) = (Raw::connect(server.local_addr()), Raw::connect(server.local_addr()));
            wait_until(|| fibra::counters().live == 3);
            let other = one_more();
            waiting.send(&call(1, Duration::from_secs(10), "desk.pass", &[0x90]));
            waiting.send(&add(2, 3, 5));
            counter.turnstile.wait_for(1);
            held_up.send(&add(1, 3, 5));
            for _ in 0..100 {
                fibra::yield_now();
            }

            counter.turnstile.open();
            assert_eq!(waiting.receive().map(|(kind, xid, _)| (kind, xid)), Some((REPLY, 1)));
            assert_eq!(waiting.receive(), Some((REPLY, 2, vec![8])), "not read before the first had ended");
            assert_eq!(held_up.receive(), Some((REPLY, 1, vec![8])));

            other.unparker().unpark();
            assert!(other.join().is_ok());
            answers(&mut Raw::connect(server.local_addr()));
        });
    });
    assert!(log.iter().any(|line| line.contains("fibers_max(") && line.contains("no other of its worker")), "{log:?}");
}

#[test]
fn a_client_is_told_why_it_cannot_connect() {
    with_fibers(6, || {
        let (server, _) = serve();
        // Takes two fibers here.
        let client = connect(&server);
        wait_until(|| fibra::counters().live == 5);
        let other = one_more();
        let error = DeskClient::connect(server.local_addr()).expect_err("no room");
        assert!(matches!(error, ConnectError::Closed { .. }), "the server has none for its side: {error:?}");

        other.unparker().unpark();
        assert!(other.join().is_ok());
        let ConnectError::Spawn(error) = DeskClient::connect(server.local_addr()).expect_err("no room") else {
            panic!("the server has a fiber for its side, but the client too few");
        };
        assert!(error.get_ref().is_some_and(|inner| inner.is::<TooManyFibers>()), "{error:?}");

        drop(client);
        wait_until(|| fibra::counters().live == 3);
        assert_eq!(connect(&server).add(3, 5).expect("room again"), 8);
    });
}

#[test]
fn a_stream_that_nobody_can_read_for_ends() {
    // Accepting, leading, and one that writes what streams send: there is none left to lead while the handler waits for an item.
    with_fibers(4, || {
        let spring = Spring::default();
        let server = Server::builder().service(TapServer::new(spring.clone())).bind(LOOPBACK).expect("a free port");
        let mut peer = Raw::connect(server.local_addr());
        wait_until(|| fibra::counters().live == 3);
        let mut sum = call(1 << 63, Duration::from_secs(10), "tap.sum", &[0x90]);
        sum[5] = 0x10;
        peer.send(&sum);
        let (kind, xid, body) = loop {
            match peer.receive().expect("an answer") {
                (CREDIT | END, ..) => {}
                answer => break answer,
            }
        };
        assert_eq!((kind, xid, body[0]), (FAILURE, 1 << 63, 1), "its own error");
        assert_eq!(*spring.ended.lock(), Some(StreamError::Overloaded));

        // With none to write, it is not begun.
        let other = one_more();
        sum[15] = 1;
        peer.send(&sum);
        let (kind, _, body) = peer.receive().expect("an answer");
        assert_eq!((kind, body[0]), (FAILURE, 6), "overloaded");
        other.unparker().unpark();
        assert!(other.join().is_ok());
        peer.send(&call(1, Duration::from_secs(10), "tap.nothing", &[0x90]));
        assert_eq!(peer.receive().expect("an answer").0, FAILURE, "the connection goes on");
    });
}
