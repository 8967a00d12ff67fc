//! A server that says that it is going down answers what it has got; new calls go to another, or wait for it to come back.

use std::io::Write;

use fibra::net::TcpListener;
use fibra::rpc::{Channel, Executed};

use crate::support::raw::{self, CALL, GOAWAY, REPLY, Raw};
use crate::support::stub::{self, DRAINING, Stub};
use crate::support::{DeskClient, LOOPBACK, join, on_one_worker, wait_until};

fn call(desk: &DeskClient) -> fibra::JoinHandle<Result<(), fibra::rpc::CallError>> {
    let desk = desk.clone();
    fibra::spawn(move || desk.pass())
}

#[test]
fn another_takes_them() {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let connecting = fibra::spawn(move || Channel::connect_to([addr, raw::nowhere()]));
        let mut first = Raw::accept(&listener, &raw::Opened::default()).0;
        drop(listener);
        let desk = DeskClient::new(join(connecting).expect("the first listens"));
        let under_way = call(&desk);
        assert_eq!(first.receive().map(|(kind, xid, _)| (kind, xid)), Some((CALL, 1)));
        let second = Stub::start_at(desk.channel().endpoints()[1].peer, 2, stub::nil);
        first.send(&raw::frame(GOAWAY, 0, &[DRAINING]));
        wait_until(|| !desk.channel().endpoints()[0].connected);

        for _ in 0..10 {
            desk.pass().expect("the other one");
        }
        assert_eq!(second.calls(), 10);
        first.send(&raw::frame(REPLY, 1, &[0xc0]));
        join(under_way).expect("it was not lost");
        assert_eq!(first.receive(), None, "then its client leaves");
    });
}

#[test]
fn the_only_one_is_waited_for() {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let connecting = fibra::spawn(move || Channel::connect(addr));
        let (mut first, open) = Raw::accept(&listener, &raw::Opened::default());
        let desk = DeskClient::new(join(connecting).expect("it listens"));
        let under_way = call(&desk);
        assert_eq!(first.receive().map(|(kind, xid, _)| (kind, xid)), Some((CALL, 1)));
        first.send(&raw::frame(GOAWAY, 0, &[DRAINING]));
        wait_until(|| !desk.channel().is_connected());
        let later = call(&desk);

        let (mut second, opens) = Raw::accept(&listener, &raw::Opened { server: 2, ..raw::Opened::default() });
        assert_ne!(open[..16], opens[..16], "a session of its own: the first still has the other");
        assert_eq!(second.receive().map(|(kind, xid, _)| (kind, xid)), Some((CALL, 1)));
        second.send(&raw::frame(REPLY, 1, &[0xc0]));
        join(later).expect("it waited");
        first.send(&raw::frame(REPLY, 1, &[0xc0]));
        join(under_way).expect("it was not lost");
        assert_eq!(first.receive(), None);
        let stats = desk.channel().stats();
        assert_eq!((stats.calls, stats.attempts, stats.connections), (2, 2, 2));
    });
}

/// A server that says so to each new connection is not asked again and again.
#[test]
fn one_that_only_ever_goes_down_is_asked_at_the_pace_of_the_backoff() {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let accepted = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
        let serving = fibra::spawn({
            let accepted = accepted.clone();
            move || {
                for stream in listener.incoming() {
                    let Ok(stream) = stream else { return };
                    accepted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    let mut raw = Raw::answer(stream, &raw::Opened::default()).0;
                    let _ = raw.stream.write_all(&raw::frame(GOAWAY, 0, &[DRAINING]));
                    fibra::spawn(move || while raw.receive().is_some() {});
                }
            }
        });
        let desk = DeskClient::new(Channel::connect(addr).expect("it listens"));
        let error = desk.within(std::time::Duration::from_millis(700)).pass();
        // One may slip through before its goaway is read, and is then never answered.
        assert!(error.is_err());
        let accepted = accepted.load(std::sync::atomic::Ordering::SeqCst);
        assert!(accepted <= 12, "10, 20, 40 ms and so on: {accepted}");
        serving.cancel();
    });
}

/// What waited at it has ended with its session; that its caller has not asked yet is no reason to stay.
#[test]
fn it_is_left_once_its_calls_have_ended_whoever_has_asked() {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let connecting = fibra::spawn(move || Channel::connect(addr));
        let mut first = Raw::accept(&listener, &raw::Opened::default()).0;
        let desk = DeskClient::new(join(connecting).expect("it listens"));
        let passing = desk.start().pass();
        assert_eq!(first.receive().map(|(kind, xid, _)| (kind, xid)), Some((CALL, 1)));
        first.send(&raw::frame(GOAWAY, 0, &[DRAINING]));
        wait_until(|| !desk.channel().is_connected());
        drop(first);
        let mut second = Raw::accept(&listener, &raw::Opened { server: 2, ..raw::Opened::default() }).0;
        assert_eq!(second.receive(), None, "nobody waits for anything");
        let error = passing.join().expect_err("its server has gone");
        assert_eq!(error.executed(), Executed::Maybe);
    });
}
