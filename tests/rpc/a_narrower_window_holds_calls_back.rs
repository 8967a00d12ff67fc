//! A server that comes back with a narrower window than before is sent no more than that: what lies beyond waits for its turn.

use fibra::net::TcpListener;
use fibra::rpc::client::Pending;
use fibra::rpc::{CallError, Channel, Limits};

use crate::support::raw::{self, ACKNOWLEDGE, CALL, REPLY, Raw};
use crate::support::{DeskClient, LOOPBACK, join, on_one_worker, wait_until};

/// nil
const NIL: [u8; 1] = [0xc0];

/// What waits for a call's end.
type Wait = Box<dyn FnOnce() -> Result<(), CallError>>;

#[test]
fn after_a_restart() {
    holds_back(|desk| {
        let desk = desk.clone();
        let fiber = fibra::spawn(move || desk.pass());
        Box::new(move || join(fiber))
    });
}

#[test]
fn calls_that_nobody_waits_for_yet_too() {
    holds_back(|desk| {
        let pass = desk.start().pass();
        Box::new(move || pass.join())
    });
}

/// What has its answer is not sent again, though nobody has taken the answer yet.
#[test]
fn what_lies_beyond_and_is_answered_is_passed_over() {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let accept = |opened| Raw::accept(&listener, &opened).0;
        let connecting = fibra::spawn(move || DeskClient::connect(addr).expect("it listens"));
        let mut first = accept(raw::Opened { window: 8, ..raw::Opened::default() });
        let desk = join(connecting);
        let calls: Vec<_> = (0..6).map(|_| desk.start().pass()).collect();
        for xid in 1..=6 {
            assert_eq!(first.receive().map(|(kind, xid, _)| (kind, xid)), Some((CALL, xid)));
        }
        first.send(&raw::frame(REPLY, 5, &NIL));
        wait_until(|| desk.channel().stats().in_flight == 5);
        drop(first);

        let mut server = accept(raw::Opened { window: 3, resumed: true, ..raw::Opened::default() });
        for xid in [1, 2, 3] {
            assert_eq!(server.receive().map(|(kind, xid, _)| (kind, xid)), Some((CALL, xid)));
            server.send(&raw::frame(REPLY, xid, &NIL));
        }
        for xid in [4, 6] {
            assert_eq!(server.receive().map(|(kind, xid, _)| (kind, xid)), Some((CALL, xid)));
            server.send(&raw::frame(REPLY, xid, &NIL));
        }
        calls.into_iter().try_for_each(Pending::join).expect("each has its answer");
    });
}

/// One answer brings two of them into the window, and the output has room for one.
#[test]
fn the_head_is_sent_however_little_room_there_is() {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let accept = |opened| Raw::accept(&listener, &opened).0;
        let mut limits = Limits::default();
        limits.buffered_bytes = 1024;
        let connecting = fibra::spawn(move || Channel::connect_with(addr, limits).expect("it listens"));
        let first = accept(raw::Opened { window: 8, ..raw::Opened::default() });
        let desk = DeskClient::new(join(connecting));
        drop(first);
        wait_until(|| !desk.channel().is_connected());
        let calls: Vec<_> = (0..4).map(|_| desk.start().echo("x".repeat(2000))).collect();

        let mut server = accept(raw::Opened { window: 2, resumed: true, ..raw::Opened::default() });
        for xid in [1, 2] {
            assert_eq!(server.receive().map(|(kind, xid, _)| (kind, xid)), Some((CALL, xid)));
        }
        for xid in [2, 1] {
            server.send(&raw::frame(REPLY, xid, &[0xa0]));
        }
        for xid in [3, 4] {
            assert_eq!(server.receive().map(|(kind, xid, _)| (kind, xid)), Some((CALL, xid)));
            server.send(&raw::frame(REPLY, xid, &[0xa0]));
        }
        for call in calls {
            assert_eq!(call.join().expect("its turn comes"), "");
        }
    });
}

/// What it says is set aside is less than the new window, however much was set aside of the old one.
#[test]
fn no_more_is_set_aside_than_the_narrower_one_has() {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let accept = |opened| Raw::accept(&listener, &opened).0;
        let connecting = fibra::spawn(move || DeskClient::connect(addr).expect("it listens"));
        let mut first = accept(raw::Opened { window: 8, ..raw::Opened::default() });
        let desk = join(connecting);
        let mut calls = vec![desk.start().pass()];
        let others: Vec<_> = (2..=8).map(|_| desk.start().pass()).collect();
        for xid in 1..=8 {
            assert_eq!(first.receive().map(|(kind, xid, _)| (kind, xid)), Some((CALL, xid)));
        }
        for xid in 2..=8 {
            first.send(&raw::frame(REPLY, xid, &NIL));
        }
        others.into_iter().try_for_each(Pending::join).expect("each has its answer");
        drop(first);
        wait_until(|| !desk.channel().is_connected());
        // One from before, and seven that wait: none has left but that.
        calls.extend((9..=15).map(|_| desk.start().pass()));

        let mut server = accept(raw::Opened { window: 4, resumed: true, ..raw::Opened::default() });
        let mut answered = Vec::new();
        while answered.len() < calls.len() {
            let (kind, xid, body) = server.receive().expect("a frame");
            if kind == ACKNOWLEDGE {
                assert!(body.len() / 8 < 4, "{} are set aside", body.len() / 8);
            } else {
                assert_eq!(kind, CALL);
                answered.push(xid);
                server.send(&raw::frame(REPLY, xid, &NIL));
            }
        }
        calls.into_iter().try_for_each(Pending::join).expect("each has its answer");
    });
}

#[test]
fn a_server_that_offers_more_than_was_asked_for_is_sent_what_was_asked_for() {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let mut limits = Limits::default();
        limits.window = 2;
        let connecting = fibra::spawn(move || Channel::connect_with(addr, limits).expect("it listens"));
        let mut server = Raw::accept(&listener, &raw::Opened { window: 512, ..raw::Opened::default() }).0;
        let desk = DeskClient::new(join(connecting));
        let spawn_pass = |_| {
            let desk = desk.clone();
            fibra::spawn(move || desk.pass())
        };
        let passes: Vec<_> = (0..3).map(spawn_pass).collect();
        let sum = fibra::spawn({
            let desk = desk.clone();
            move || desk.add(3, 5)
        });
        let mut receive = || server.receive().map(|(kind, xid, _)| (kind, xid)).expect("a frame");
        assert_eq!([receive(), receive()], [(CALL, 1), (CALL, 2)]);
        let (kind, outside) = receive();
        assert!(kind == CALL && outside > 1 << 62, "no third of the session: {outside}");
        server.send(&raw::frame(REPLY, outside, &[8]));
        for xid in 1..=3 {
            server.send(&raw::frame(REPLY, xid, &NIL));
            if xid == 1 {
                assert_eq!(server.receive().map(|(kind, xid, _)| (kind, xid)), Some((CALL, 3)));
            }
        }
        assert_eq!(join(sum).expect("a sum"), 8);
        passes.into_iter().try_for_each(join).expect("each has its turn");
    });
}

fn holds_back(pass: fn(&DeskClient) -> Wait) {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let accept = |opened| Raw::accept(&listener, &opened).0;
        let connecting = fibra::spawn(move || DeskClient::connect(addr).expect("it listens"));
        let first = accept(raw::Opened { window: 8, ..raw::Opened::default() });
        let desk = join(connecting);
        drop(first);
        wait_until(|| desk.channel().stats().connections == 1 && !desk.channel().is_connected());
        let calls: Vec<_> = (0..6).map(|_| pass(&desk)).collect();
        wait_until(|| desk.channel().stats().in_flight == 6);

        let mut server = accept(raw::Opened { server: 2, window: 3, resumed: false });
        let mut receive = || server.receive().map(|(kind, xid, _)| (kind, xid)).expect("a frame");
        let got = [receive(), receive(), receive()];
        assert_eq!(got, [(CALL, 1), (CALL, 2), (CALL, 3)]);
        let sum = fibra::spawn({
            let desk = desk.clone();
            move || desk.add(3, 5)
        });
        let (kind, outside) = receive();
        assert!(kind == CALL && outside > 1 << 62, "no fourth of the session: {outside}");
        server.send(&raw::frame(REPLY, outside, &[8]));
        assert_eq!(join(sum).expect("a sum"), 8);

        // A hole at the start holds the window where it is.
        server.send(&raw::frame(REPLY, 2, &NIL));
        server.send(&raw::frame(REPLY, 1, &NIL));
        let mut receive = || server.receive().map(|(kind, xid, _)| (kind, xid)).expect("a frame");
        let mut next = [receive(), receive()];
        next.sort_unstable();
        assert_eq!(next, [(CALL, 4), (CALL, 5)]);
        for xid in [3, 4, 5] {
            server.send(&raw::frame(REPLY, xid, &NIL));
        }
        let mut receive = || server.receive().map(|(kind, xid, _)| (kind, xid)).expect("a frame");
        assert_eq!(receive(), (CALL, 6));
        server.send(&raw::frame(REPLY, 6, &NIL));
        for call in calls {
            call().expect("its turn comes");
        }
    });
}
