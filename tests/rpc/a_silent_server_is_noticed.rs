//! A server that says nothing while calls wait is asked for a sign of life; without one, the calls go out again on another connection.

use std::io::Read;
use std::time::Duration;

use fibra::net::TcpListener;
use fibra::rpc::client::Keepalive;
use fibra::rpc::error::Disconnect;
use fibra::rpc::{CallError, Channel, Executed, Limits};

use crate::support::raw::{self, CALL, PING, PONG, REPLY, Raw};
use crate::support::{DeskClient, LOOPBACK, join, on_one_worker};

fn connect(listener: &TcpListener, timeout: Duration) -> (DeskClient, Raw) {
    let addr = listener.local_addr().expect("it is bound");
    let mut keepalive = Keepalive::default();
    keepalive.after = Duration::from_millis(20);
    keepalive.timeout = timeout;
    let connecting = fibra::spawn(move || Channel::builder().keepalive(Some(keepalive)).connect(addr));
    let raw = Raw::accept(listener, &raw::Opened::default()).0;
    (DeskClient::new(join(connecting).expect("it listens")), raw)
}

#[test]
fn and_what_waits_is_sent_again() {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let (desk, mut first) = connect(&listener, Duration::from_millis(20));
        let call = fibra::spawn({
            let desk = desk.clone();
            move || desk.pass()
        });
        assert_eq!(first.receive().map(|(kind, xid, _)| (kind, xid)), Some((CALL, 1)));
        assert_eq!(first.receive().map(|(kind, xid, body)| (kind, xid, body.len())), Some((PING, 0, 8)));
        // It stays open, and says nothing.
        let mut second = Raw::accept(&listener, &raw::Opened { resumed: true, ..raw::Opened::default() }).0;
        assert_eq!(second.receive().map(|(kind, xid, _)| (kind, xid)), Some((CALL, 1)));
        second.send(&raw::frame(REPLY, 1, &[0xc0]));
        join(call).expect("the second answers");
        assert_eq!(desk.channel().stats().connections, 2);
        drop(first);
    });
}

#[test]
fn one_that_answers_pings_may_take_its_time() {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let (desk, mut server) = connect(&listener, Duration::from_secs(20));
        let call = fibra::spawn({
            let desk = desk.clone();
            move || desk.pass()
        });
        assert_eq!(server.receive().map(|(kind, ..)| kind), Some(CALL));
        for _ in 0..5 {
            let (kind, _, echo) = server.receive().expect("a ping");
            assert_eq!(kind, PING);
            server.send(&raw::frame(PONG, 0, &echo));
        }
        server.send(&raw::frame(REPLY, 1, &[0xc0]));
        join(call).expect("in the end");
        assert_eq!(desk.channel().stats().connections, 1);
    });
}

#[test]
fn a_call_that_it_held_says_so() {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let (desk, mut server) = connect(&listener, Duration::from_millis(20));
        drop(listener);
        let call = fibra::spawn({
            let desk = desk.clone();
            move || desk.within(Duration::from_millis(500)).pass()
        });
        assert_eq!(server.receive().map(|(kind, ..)| kind), Some(CALL));
        let error = join(call).expect_err("there is no other connection to be had");
        assert!(matches!(error, CallError::Disconnected { cause: Disconnect::Unreachable(_), .. }), "{error:?}");
        assert_eq!(error.executed(), Executed::Maybe);
    });
}

#[test]
fn a_client_answers_pings_but_no_flood() {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let (desk, mut server) = connect(&listener, Duration::from_secs(20));
        let ping = raw::frame(PING, 0, &7_u64.to_be_bytes());
        server.send(&ping);
        assert_eq!(server.receive(), Some((PONG, 0, 7_u64.to_be_bytes().to_vec())));
        server.send(&ping.repeat(10_000));
        let mut pongs = 0;
        while let Some((PONG, ..)) = server.receive() {
            pongs += 1;
        }
        assert!(pongs < 200, "{pongs}");
        drop(desk);
    });
}

/// On a slow link what is sent again takes longer than a keepalive waits, and its answers come behind it: each time anew.
#[test]
fn one_that_is_slow_gets_twice_as_long_each_time() {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let (desk, mut server) = connect(&listener, Duration::from_millis(20));
        let call = fibra::spawn({
            let desk = desk.clone();
            move || desk.pass()
        });
        let mut connections = 1;
        while !stays(&mut server) {
            server = Raw::accept(&listener, &raw::Opened { resumed: true, ..raw::Opened::default() }).0;
            connections += 1;
        }
        server.send(&raw::frame(REPLY, 1, &[0xc0]));
        join(call).expect("it has waited for long enough");
        assert!((3..=6).contains(&connections), "{connections}");
    });
}

/// Nobody would send it later, and then nothing would come.
#[test]
fn the_question_waits_for_no_room() {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let mut keepalive = Keepalive::default();
        (keepalive.after, keepalive.timeout) = (Duration::from_millis(20), Duration::from_secs(20));
        let mut limits = Limits::default();
        limits.buffered_bytes = 1024;
        let builder = Channel::builder().keepalive(Some(keepalive)).limits(limits);
        let connecting = fibra::spawn(move || builder.connect(addr));
        let mut server = Raw::accept(&listener, &raw::Opened::default()).0;
        let desk = DeskClient::new(join(connecting).expect("it listens"));
        let echoes = desk.batch(|desk| {
            // Each makes room for itself, and leaves none.
            let echoes = (0..20).map(|_| {
                let echo = desk.echo("x".repeat(2000));
                fibra::sleep(Duration::from_millis(7)).expect("nobody cancels it");
                echo
            });
            echoes.collect::<Vec<_>>()
        });
        while server.receive().expect("a frame").0 != PING {}
        drop(echoes);
    });
}

/// Whether its client waits for as long as a slow link takes.
fn stays(server: &mut Raw) -> bool {
    let answers_at = fibra::clock::now() + Duration::from_millis(250);
    loop {
        let left = answers_at.saturating_duration_since(fibra::clock::now());
        if left.is_zero() {
            return true;
        }
        server.stream.set_read_timeout(Some(left)).expect("not zero");
        match server.stream.read(&mut [0; 1024]) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::TimedOut),
        }
    }
}
