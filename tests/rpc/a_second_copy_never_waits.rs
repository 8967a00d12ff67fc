//! A second copy of an idempotent call is sent only if there is room for it: while it waited for some, the answer to the first would lie there.

use std::time::Duration;

use fibra::net::TcpListener;
use fibra::rpc::client::Hedging;
use fibra::rpc::{Channel, Limits};

use crate::support::raw::{self, CALL, REPLY, Raw};
use crate::support::{DeskClient, LOOPBACK, join, on_one_worker, wait_until};

/// More than any socket's buffers hold.
const LARGE: usize = 32 << 20;

fn connect(limits: Limits) -> (DeskClient, Raw) {
    let listener = TcpListener::bind(LOOPBACK).expect("a free port");
    let addr = listener.local_addr().expect("it is bound");
    let connecting = fibra::spawn(move || Channel::connect_with(addr, limits).expect("it listens"));
    let server = Raw::accept(&listener, &raw::Opened::default()).0;
    (DeskClient::new(join(connecting)), server)
}

fn call(server: &mut Raw) -> u64 {
    let (kind, xid, _) = server.receive().expect("a frame");
    assert_eq!(kind, CALL);
    xid
}

#[test]
fn for_a_place_among_those_in_flight() {
    on_one_worker(|| {
        let mut limits = Limits::default();
        limits.in_flight = 1;
        let (desk, mut server) = connect(limits);
        let hedged = desk.hedge(Hedging::after(Duration::ZERO));
        // One has the only place; then comes the one that may be hedged, and one more.
        let first = desk.start().pass();
        let before = call(&mut server);
        let sum = fibra::spawn(move || hedged.add(3, 5));
        fibra::yield_now();
        let behind = fibra::spawn({
            let desk = desk.within(Duration::from_secs(5));
            move || desk.pass()
        });
        fibra::yield_now();
        server.send(&raw::frame(REPLY, before, &[0xc0]));
        first.join().expect("an answer");

        let xid = call(&mut server);
        server.send(&raw::frame(REPLY, xid, &[8]));
        // It gets the place, and no answer.
        call(&mut server);
        wait_until(|| sum.is_finished() || behind.is_finished());
        assert!(!behind.is_finished(), "its caller had to wait for another call's end");
        assert_eq!(join(sum).expect("a sum"), 8);
        assert_eq!(desk.channel().stats().hedges, 0);
        behind.cancel();
        join(behind).expect_err("no answer");
    });
}

#[test]
fn for_room_in_the_output() {
    on_one_worker(|| {
        let mut limits = Limits::default();
        (limits.frame_bytes, limits.buffered_bytes) = (2 * LARGE, 1024);
        let (desk, mut server) = connect(limits);
        let hedged = desk.hedge(Hedging::after(Duration::from_millis(50)));
        let sum = fibra::spawn(move || hedged.add(3, 5));
        let first = call(&mut server);
        // Nobody reads that.
        let filling = fibra::spawn({
            let desk = desk.within(Duration::from_secs(5));
            move || desk.echo("x".repeat(LARGE))
        });
        wait_until(|| desk.channel().stats().in_flight == 2);
        fibra::sleep(Duration::from_millis(100)).expect("nobody cancels");
        server.send(&raw::frame(REPLY, first, &[8]));
        wait_until(|| sum.is_finished() || filling.is_finished());
        assert!(!filling.is_finished(), "its caller had to wait for room");
        assert_eq!(join(sum).expect("a sum"), 8);
        filling.cancel();
        join(filling).expect_err("no answer");
    });
}
