//! With as many fibers as there may be, a new connection is closed and a call that waits holds up its own connection, each with a
//! warning; all else goes on, and with room again all is as before.

use std::time::Duration;

use fibra::TooManyFibers;
use fibra::park::{self, Reason};
use fibra::rpc::ConnectError;

use crate::support::raw::{REPLY, Raw, add, call};
use crate::support::{DeskClient, connect, log, serve, wait_until};

/// One worker, on which all log on this thread. The clients here are no fibers, so a server with one connection has two.
fn with_fibers<T>(fibers_max: usize, f: impl FnOnce() -> T) -> T {
    fibra::runtime::builder().workers(1).fibers_max(fibers_max).run(f).expect("the runtime starts")
}

fn answers(peer: &mut Raw) {
    peer.send(&add(1, 3, 5));
    assert_eq!(peer.receive(), Some((REPLY, 1, vec![8])));
}

#[test]
fn a_new_connection_is_closed_and_the_others_go_on() {
    let ((), log) = log::capture(|| {
        with_fibers(3, || {
            let (server, _) = serve();
            let mut first = Raw::connect(server.local_addr());
            for _ in 0..10 {
                assert_eq!(Raw::connect_silently(server.local_addr()).receive(), None, "closed");
                answers(&mut first);
            }
            assert_eq!(fibra::counters().refused, 10);

            drop(first);
            wait_until(|| server.connections() == 0);
            answers(&mut Raw::connect(server.local_addr()));
        });
    });
    let refused = log.iter().filter(|line| line.contains("fibers_max(") && line.contains("nothing could be started"));
    assert_eq!(refused.count(), 10, "{log:?}");
}

#[test]
fn a_call_that_waits_holds_up_its_own_connection_only() {
    let ((), log) = log::capture(|| {
        with_fibers(4, || {
            let (server, counter) = serve();
            let (mut held_up, mut other) = (Raw::connect(server.local_addr()), Raw::connect(server.local_addr()));
            held_up.send(&call(1, Duration::from_secs(10), "desk.pass", &[0x90]));
            held_up.send(&add(2, 3, 5));
            counter.turnstile.wait_for(1);
            answers(&mut other);

            counter.turnstile.open();
            assert_eq!(held_up.receive().map(|(kind, xid, _)| (kind, xid)), Some((REPLY, 1)));
            assert_eq!(held_up.receive(), Some((REPLY, 2, vec![8])), "not read before the first had ended");

            drop(other);
            wait_until(|| server.connections() == 1);
            held_up.send(&add(3, 3, 5));
            assert_eq!(held_up.receive(), Some((REPLY, 3, vec![8])));
        });
    });
    assert!(
        log.iter().any(|line| line.contains("fibers_max(") && line.contains("no other of its connection")),
        "{log:?}"
    );
}

#[test]
fn a_client_is_told_why_it_cannot_connect() {
    with_fibers(5, || {
        let (server, _) = serve();
        // Takes two fibers here, and one there.
        let client = connect(&server);
        let error = DeskClient::connect(server.local_addr()).expect_err("no room");
        assert!(matches!(error, ConnectError::Closed { .. }), "the server has none for its side: {error:?}");

        drop(client);
        wait_until(|| fibra::counters().live == 2);
        let waiting: Vec<_> =
            (0..2).map(|_| fibra::Builder::new().spawn_local(|| park::park(Reason::Parked)).expect("room")).collect();
        let ConnectError::Spawn(error) = DeskClient::connect(server.local_addr()).expect_err("no room") else {
            panic!("the server has a fiber for its side, but the client none");
        };
        assert!(error.get_ref().is_some_and(|inner| inner.is::<TooManyFibers>()), "{error:?}");

        waiting.iter().for_each(|fiber| fiber.unparker().unpark());
        wait_until(|| fibra::counters().live == 2);
        assert_eq!(connect(&server).add(3, 5).expect("room again"), 8);
    });
}
