//! A server that drains tells its clients, answers what is under way and what crosses its goaway, and refuses what comes later.

use std::time::Duration;

use fibra::rpc::Server;
use fibra::rpc::health::Status;
use fibra::rpc::limits::DRAIN_GRACE;
use fibra::rpc::server::Drained;

use crate::support::raw::{self, FAILURE, GOAWAY, REPLY, Raw};
use crate::support::{connect, join, on_one_worker, on_two_workers, serve, serve_with};

const OVERLOADED: u8 = 6;
const DRAINING: u8 = 6;

fn pass(xid: u64) -> Vec<u8> {
    raw::call(xid, Duration::from_secs(60), "desk.pass", &[0x90])
}

fn drain(server: Server, timeout: Duration) -> fibra::JoinHandle<(Drained, Server)> {
    fibra::spawn(move || (server.drain(timeout), server))
}

#[test]
fn what_is_under_way_and_what_crosses() {
    on_two_workers(|| {
        let (server, counter) = serve();
        let (addr, health) = (server.local_addr(), server.health().clone());
        let mut client = Raw::connect(addr);
        client.send(&pass(1));
        counter.turnstile.wait_for(1);
        let draining = drain(server, Duration::from_secs(60));
        let (kind, xid, body) = client.receive().expect("a goaway");
        assert_eq!((kind, xid, body[0]), (GOAWAY, 0, DRAINING));
        client.send(&raw::add(2, 3, 5));
        assert_eq!(client.receive(), Some((REPLY, 2, vec![8])), "it has crossed the goaway");
        assert_eq!(health.check(""), Status::NotServing);
        assert!(fibra::net::TcpStream::connect(addr).is_err(), "it does not accept");

        counter.turnstile.open();
        assert_eq!(client.receive().map(|(kind, xid, _)| (kind, xid)), Some((REPLY, 1)));
        drop(client);
        let (drained, server) = join(draining);
        assert_eq!(drained, Drained::Complete);
        assert_eq!(server.connections(), 0);
        server.wait().expect("it was told to stop");
        assert_eq!(server.drain(Duration::ZERO), Drained::Complete, "once is enough");
    });
}

/// Of a client that does not listen.
#[test]
fn what_comes_later_is_refused_and_has_not_run() {
    on_one_worker(|| {
        let (server, counter) = serve();
        let mut client = Raw::connect(server.local_addr());
        client.send(&pass(1));
        counter.turnstile.wait_for(1);
        // Half of it is the grace.
        let draining = drain(server, Duration::from_millis(200));
        assert_eq!(client.receive().map(|(kind, ..)| kind), Some(GOAWAY));
        client.send(&raw::behind(raw::add(2, 3, 5), 1));
        assert_eq!(client.receive(), Some((REPLY, 2, vec![8])), "it has crossed the goaway");
        let mut idempotent = raw::add(1 << 63, 3, 5);
        idempotent[5] = 2;
        let refusal = loop {
            client.send(&idempotent);
            let (kind, _, body) = client.receive().expect("an answer");
            if kind == FAILURE {
                break body;
            }
        };
        assert_eq!(refusal[0], OVERLOADED);
        for _ in 0..2 {
            client.send(&raw::behind(raw::add(3, 3, 5), 2));
            assert_eq!(client.receive(), Some((FAILURE, 3, refusal.clone())), "another copy gets the same answer");
        }
        client.send(&raw::behind(raw::add(2, 3, 5), 1));
        assert_eq!(client.receive(), Some((REPLY, 2, vec![8])), "what has been answered stays so");
        assert_eq!(join(draining).0, Drained::Cut);
        assert_eq!(counter.turnstile.entered(), 1);
    });
}

#[test]
fn an_idle_client_holds_nothing_up_for_longer_than_the_grace() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut client = Raw::connect(server.local_addr());
        let draining = drain(server, Duration::from_millis(400));
        assert_eq!(client.receive().map(|(kind, ..)| kind), Some(GOAWAY));
        assert_eq!(join(draining).0, Drained::Complete);
        assert_eq!(client.receive(), None);
    });
}

#[test]
fn at_its_deadline_the_rest_is_cancelled() {
    on_two_workers(|| {
        let (server, counter) = serve();
        let proxy = connect(&server);
        let call = fibra::spawn(move || proxy.within(Duration::from_secs(1)).wait_for_ever());
        counter.turnstile.wait_for(1);
        assert_eq!(server.drain(Duration::from_millis(20)), Drained::Cut);
        assert_eq!(server.connections(), 0);
        join(call).expect_err("it was cut");
    });
}

#[test]
fn two_who_drain_are_told_the_same() {
    on_two_workers(|| {
        let (server, counter) = serve();
        let mut client = Raw::connect(server.local_addr());
        client.send(&pass(1));
        counter.turnstile.wait_for(1);
        let server = std::sync::Arc::new(server);
        let drains: Vec<_> = (0..2)
            .map(|_| {
                let server = server.clone();
                fibra::spawn(move || server.drain(Duration::from_secs(60)))
            })
            .collect();
        assert_eq!(client.receive().map(|(kind, ..)| kind), Some(GOAWAY));
        counter.turnstile.open();
        assert_eq!(client.receive().map(|(kind, ..)| kind), Some(REPLY));
        drop(client);
        assert_eq!(drains.into_iter().map(join).collect::<Vec<_>>(), [Drained::Complete; 2]);
    });
}

#[test]
fn a_shutdown_cuts_it_short() {
    on_two_workers(|| {
        let (server, counter) = serve();
        let mut client = Raw::connect(server.local_addr());
        client.send(&pass(1));
        counter.turnstile.wait_for(1);
        let server = std::sync::Arc::new(server);
        let draining = fibra::spawn({
            let server = server.clone();
            move || server.drain(Duration::from_secs(3600))
        });
        assert_eq!(client.receive().map(|(kind, ..)| kind), Some(GOAWAY));
        server.shutdown();
        assert_eq!(join(draining), Drained::Cut);
    });
}

#[test]
fn threads_answer_what_they_have_too() {
    on_two_workers(|| {
        let (server, counter) = serve_with(Server::builder().thread_per_connection());
        let mut client = Raw::connect(server.local_addr());
        client.send(&[pass(1), raw::add(2, 3, 5)].concat());
        counter.turnstile.wait_for(1);
        let draining = drain(server, Duration::from_secs(60));
        assert_eq!(client.receive().map(|(kind, ..)| kind), Some(GOAWAY));
        counter.turnstile.open();
        assert_eq!(client.receive().map(|(kind, xid, _)| (kind, xid)), Some((REPLY, 1)));
        assert_eq!(client.receive(), Some((REPLY, 2, vec![8])));
        assert_eq!(client.receive(), None);
        assert_eq!(join(draining).0, Drained::Complete);
    });
}

/// A connection whose end has been read is not watched any more; what it runs is waited for all the same.
#[test]
fn to_a_peer_that_will_say_no_more_too() {
    on_two_workers(|| {
        let (server, counter) = serve();
        let mut client = Raw::connect(server.local_addr());
        client.send(&pass(1));
        counter.turnstile.wait_for(1);
        client.stream.shutdown(std::net::Shutdown::Write).expect("it is connected");
        let draining = drain(server, Duration::from_secs(20));
        // Beyond the grace, when the server looks whether it is done.
        fibra::sleep(DRAIN_GRACE + Duration::from_millis(500)).expect("nobody cancels");
        counter.turnstile.open();
        // Who says no more need not be told to go away, but may be.
        let answer = std::iter::from_fn(|| client.receive()).find(|(kind, ..)| *kind != GOAWAY);
        assert_eq!(answer.map(|(kind, xid, _)| (kind, xid)), Some((REPLY, 1)));
        assert_eq!(join(draining).0, Drained::Complete);
    });
}
