//! A call that was started goes on by itself; its handle joins it, looks at it, or cancels it.

use std::time::Duration;

use fibra::net::TcpListener;
use fibra::rpc::client::Pending;
use fibra::rpc::{CallError, Channel, Executed, Limits, Server};
use fibra::sync::{channel, select};

use crate::support::proxy::Proxy;
use crate::support::raw::{self, CALL, REPLY, Raw};
use crate::support::{
    DeskClient, LOOPBACK, Refusal, connect, join, on_one_worker, on_two_workers, serve, serve_with, wait_until,
};

const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(60);

#[test]
fn one_fiber_has_hundreds_under_way_on_one_connection() {
    on_one_worker(|| {
        let (server, counter) = serve();
        let desk = connect(&server);
        let passes: Vec<_> = (0..256).map(|_| desk.start().pass()).collect();
        counter.turnstile.wait_for(256);
        assert_eq!((desk.channel().stats().in_flight, server.connections()), (256, 1));
        let sums: Vec<_> = (0..256_i64).map(|n| desk.start().add(n, n)).collect();
        for (n, sum) in (0..).zip(sums) {
            assert_eq!(sum.join().expect("a sum"), n + n);
        }
        counter.turnstile.open();
        for pass in passes {
            pass.join().expect("the turnstile opens");
        }
        assert_eq!(desk.channel().stats().in_flight, 0);
    });
}

#[test]
fn answers_that_nobody_has_joined_yet_hold_up_nobody() {
    on_one_worker(|| {
        let mut limits = Limits::default();
        (limits.window, limits.in_flight) = (4, 8);
        let (server, _counter) = serve();
        let desk = DeskClient::new(Channel::connect_with(server.local_addr(), limits).expect("it listens"));
        let echoes: Vec<_> = (0..100).map(|n| desk.start().echo(n.to_string())).collect();
        let sums: Vec<_> = (0..100_i64).map(|n| desk.start().add(n, 1)).collect();
        for (n, (echo, sum)) in (0..).zip(echoes.into_iter().zip(sums)) {
            assert_eq!((echo.join().expect("an echo"), sum.join().expect("a sum")), (n.to_string(), n + 1));
        }
    });
}

#[test]
fn any_fiber_or_thread_may_join() {
    on_two_workers(|| {
        let (server, _counter) = serve();
        let desk = connect(&server);
        let (one, other) = (desk.start().add(1, 2), desk.start().withdraw(500));
        assert_eq!(join(fibra::spawn(move || one.join())).expect("a sum"), 3);
        let refused = fibra::blocking(move || other.join()).expect("it is not cancelled");
        assert!(matches!(refused, Err(CallError::Application(Refusal::NotEnough { missing: 400 }))), "{refused:?}");
    });
}

#[test]
fn looking_and_waiting_for_a_while_leave_it_under_way() {
    on_one_worker(|| {
        let (server, counter) = serve();
        let desk = connect(&server);
        let mut pass = desk.start().pass();
        assert!(pass.try_join().is_none());
        assert!(pass.join_timeout(SHORT).is_none());
        counter.turnstile.wait_for(1);
        counter.turnstile.open();
        pass.join_timeout(LONG).expect("in time").expect("it passes");
        // A result is given once.
        assert!(pass.try_join().is_none());
        assert_eq!(counter.turnstile.entered(), 1);
    });
}

#[test]
fn its_deadline_counts_from_the_start() {
    on_one_worker(|| {
        let (server, counter) = serve();
        let desk = connect(&server);
        let mut handles: Vec<_> = (0..3).map(|_| desk.within(SHORT).start().pass()).collect();
        counter.turnstile.wait_for(3);
        fibra::sleep(SHORT).expect("nobody cancels");
        for how in ["join", "try", "while"] {
            let mut handle = handles.pop().expect("three of them");
            let result = match how {
                "join" => handle.join(),
                "try" => handle.try_join().expect("its time is up"),
                _ => handle.join_timeout(LONG).expect("its time is up"),
            };
            assert!(matches!(result, Err(CallError::Timeout { executed: Executed::Maybe, .. })), "{how}: {result:?}");
        }
        counter.turnstile.open();
    });
}

#[test]
fn dropping_its_handle_cancels_it() {
    on_one_worker(|| {
        let (server, counter) = serve_with(Server::builder());
        let desk = connect(&server);
        // Both are read at once, so the cancel overtakes the call.
        desk.batch(|desk| (desk.pass(), desk.pass())).0.cancel();
        drop(desk.start().pass());
        assert_eq!(desk.channel().stats().in_flight, 0);
        counter.turnstile.open();
        assert_eq!(desk.add(3, 5).expect("a sum"), 8);
        let entered = counter.turnstile.entered();
        assert!(entered <= 1, "{entered} ran of which nobody waits");
    });
}

#[test]
fn who_cannot_be_called_is_the_result() {
    on_one_worker(|| {
        let (server, _counter) = serve();
        let desk = connect(&server);
        let error = desk.start().echo("x".repeat(5 * 1024 * 1024)).join().expect_err("over four MiB");
        assert!(matches!(error, CallError::TooLarge { .. }), "{error:?}");
        drop(server);
        wait_until(|| desk.within(SHORT).start().add(1, 1).join().is_err());
    });
}

#[test]
fn a_lost_connection_is_no_matter_to_it() {
    on_one_worker(|| {
        let (server, counter) = serve();
        let proxy = Proxy::to(server.local_addr());
        let desk = DeskClient::connect(proxy.addr()).expect("it listens");
        proxy.to_server().lose(true);
        let lost: Vec<_> = (0..3).map(|_| desk.start().pass()).collect();
        proxy.to_server().wait_for_lost(1);
        proxy.to_server().lose(false);
        proxy.cut();
        // Nobody has joined one.
        counter.turnstile.wait_for(3);

        proxy.cut();
        wait_until(|| !desk.channel().is_connected());
        let unsent = desk.start().pass();
        counter.turnstile.wait_for(4);
        counter.turnstile.open();
        for pass in lost.into_iter().chain([unsent]) {
            pass.join().expect("it passes, once");
        }
        assert_eq!(counter.turnstile.entered(), 4);
    });
}

/// However little room there is in a new connection's output: who waits for any of several calls waits for room of none.
#[test]
fn all_that_waited_for_a_connection_go_out_on_it() {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let mut limits = Limits::default();
        limits.buffered_bytes = 1024;
        let connecting = fibra::spawn(move || Channel::connect_with(addr, limits).expect("it listens"));
        let first = Raw::accept(&listener, &raw::Opened::default()).0;
        let desk = DeskClient::new(join(connecting));
        drop(first);
        wait_until(|| !desk.channel().is_connected());
        let mut echoes: Vec<_> = (0..4).map(|_| desk.start().echo("x".repeat(2000))).collect();
        let waiting = fibra::spawn(move || {
            while let Some((_, echo)) = Pending::join_any(&mut echoes) {
                assert_eq!(echo.expect("an echo"), "");
            }
        });
        let mut server = Raw::accept(&listener, &raw::Opened { resumed: true, ..raw::Opened::default() }).0;
        for xid in 1..=4 {
            assert_eq!(server.receive().map(|(kind, xid, _)| (kind, xid)), Some((CALL, xid)));
        }
        for xid in 1..=4 {
            server.send(&raw::frame(REPLY, xid, &[0xa0]));
        }
        join(waiting);
    });
}

#[test]
fn a_select_waits_for_calls_and_channels_alike() {
    on_one_worker(|| {
        let (server, counter) = serve();
        let desk = connect(&server);
        let (stop, stopped) = channel::bounded(1);
        let mut pass = desk.start().pass();
        let mut sum = desk.start().add(3, 5);
        let mut seen = Vec::new();
        for _ in 0..3 {
            select! {
                join(pass) -> result => { result.expect("it passes"); seen.push("pass") }
                join(sum) -> result => {
                    assert_eq!(result.expect("a sum"), 8);
                    seen.push("sum");
                    stop.send(()).expect("there is room");
                }
                recv(stopped) -> _ => { seen.push("stop"); counter.turnstile.open() }
            }
        }
        assert_eq!(seen, ["sum", "stop", "pass"]);
        // Given are both: there is nothing to wait for but the default.
        select! {
            join(pass) -> _ => panic!("given twice"),
            join(&mut sum) -> _ => panic!("given twice"),
            default(SHORT) => {}
        }
    });
}

#[test]
fn a_select_ends_with_the_deadline_of_its_call() {
    on_one_worker(|| {
        let (server, counter) = serve();
        let desk = connect(&server);
        let (_stop, stopped) = channel::bounded::<()>(1);
        let mut pass = desk.within(SHORT).start().pass();
        select! {
            recv(stopped) -> _ => panic!("nobody stops it"),
            join(pass) -> result => {
                let error = result.expect_err("nobody opens the turnstile");
                assert!(matches!(error, CallError::Timeout { .. }), "{error:?}");
            }
        }
        counter.turnstile.open();
    });
}

#[test]
fn a_cancelled_fiber_stops_waiting_for_any() {
    on_one_worker(|| {
        let (server, counter) = serve();
        let desk = connect(&server);
        let waiting = fibra::spawn(move || {
            let mut passes = [desk.start().pass(), desk.start().pass()];
            Pending::join_any(&mut passes)
        });
        counter.turnstile.wait_for(2);
        waiting.cancel();
        let (index, result) = join(waiting).expect("one of two");
        assert!(index == 0 && matches!(result, Err(CallError::Cancelled { .. })), "{result:?}");
        counter.turnstile.open();
    });
}

#[test]
fn the_first_of_several_is_taken() {
    on_one_worker(|| {
        let (server, counter) = serve();
        let desk = connect(&server);
        let mut calls = [desk.start().echo("a".to_owned()), desk.start().echo("b".to_owned())];
        let mut got: Vec<_> = std::iter::from_fn(|| Pending::join_any(&mut calls))
            .map(|(index, echo)| (index, echo.expect("an echo")))
            .collect();
        got.sort();
        assert_eq!(got, [(0, "a".to_owned()), (1, "b".to_owned())]);
        counter.turnstile.open();
    });
}
