//! A call that streams goes to one of a channel's servers, the less busy one, and stays there: until it ends if that server goes down, and no longer than
//! its connection.

use std::time::Duration;

use fibra::net::TcpListener;
use fibra::rpc::client::{Nothing, Streaming};
use fibra::rpc::stream::StreamError;
use fibra::rpc::{CallError, Channel, Executed};

use crate::support::raw::{self, CALL, CREDIT, GOAWAY, ITEM, REPLY, Raw};
use crate::support::streams::{TapClient, serve};
use crate::support::stub::{self, DRAINING, Stub};
use crate::support::{DeskClient, LOOPBACK, join, on_one_worker, wait_until};

const SHORT: Duration = Duration::from_millis(20);

/// A channel to a server of hand-written frames, and to an address at which nobody listens yet.
fn connect_to_one_of_two() -> (Channel, Raw) {
    let listener = TcpListener::bind(LOOPBACK).expect("a free port");
    let addr = listener.local_addr().expect("it is bound");
    let connecting = fibra::spawn(move || Channel::connect_to([addr, raw::nowhere()]));
    let first = Raw::accept(&listener, &raw::Opened::default()).0;
    (join(connecting).expect("the first listens"), first)
}

fn receive_call(server: &mut Raw) -> u64 {
    loop {
        let (kind, xid, _) = server.receive().expect("it is not closed");
        match kind {
            CALL => return xid,
            kind => assert_eq!(kind, CREDIT),
        }
    }
}

#[test]
fn it_counts_where_it_is() {
    on_one_worker(|| {
        let (first, spring, _) = serve();
        let (second, other, _) = serve();
        let channel = Channel::connect_to([first.local_addr(), second.local_addr()]).expect("they listen");
        wait_until(|| channel.endpoints().iter().all(|endpoint| endpoint.connected));
        let tap = TapClient::new(channel);
        let streams: Vec<_> = (0..64).map(|_| tap.hold().expect("it begins")).collect();
        let in_flight: Vec<_> = tap.channel().endpoints().iter().map(|endpoint| endpoint.in_flight).collect();
        assert_eq!(in_flight, [32, 32], "of two, always the one with fewer");
        let finish = |stream: Streaming<String, Nothing, u64, StreamError>| fibra::spawn(move || stream.finish());
        let mut finishing: Vec<_> = streams.into_iter().map(finish).collect();
        spring.turnstile.open();
        wait_until(|| finishing.iter().filter(|fiber| fiber.is_finished()).count() == 32);
        // The first has none, and would have to have 32 more before the other got another.
        finishing.extend((0..16).map(|_| finish(tap.hold().expect("it begins"))));
        wait_until(|| spring.turnstile.entered() + other.turnstile.entered() == 80);
        assert_eq!((spring.turnstile.entered(), other.turnstile.entered()), (48, 32));
        other.turnstile.open();
        for fiber in finishing {
            assert_eq!(join(fiber).expect("a count"), 0);
        }
    });
}

#[test]
fn a_server_that_goes_down_ends_it_in_its_time() {
    on_one_worker(|| {
        let (channel, mut first) = connect_to_one_of_two();
        let mut numbers = TapClient::new(channel.clone()).count(7).expect("it begins");
        let xid = receive_call(&mut first);
        let second = Stub::start_at(channel.endpoints()[1].peer, 2, stub::nil);
        first.send(&raw::frame(GOAWAY, 0, &[DRAINING]));
        wait_until(|| !channel.endpoints()[0].connected);
        let desk = DeskClient::new(channel);
        desk.pass().expect("the other one");
        assert_eq!(second.calls(), 1);

        first.send(&raw::frame(ITEM, xid, &[42]));
        assert_eq!(numbers.recv().expect("it goes on"), Some(42));
        first.send(&raw::frame(REPLY, xid, &[1]));
        assert_eq!(numbers.finish().expect("a count"), 1);
        assert_eq!(first.receive(), None, "then its client leaves");
        desk.pass().expect("the other one, still");
    });
}

#[test]
fn its_loss_is_not_another_servers() {
    on_one_worker(|| {
        let (channel, mut first) = connect_to_one_of_two();
        let mut numbers = TapClient::new(channel.clone()).count(7).expect("it begins");
        receive_call(&mut first);
        let addr = channel.endpoints()[0].peer;
        let second = Stub::start_at(channel.endpoints()[1].peer, 2, stub::nil);
        drop(first);
        let error = numbers.recv().expect_err("its connection is gone");
        assert!(matches!(error, CallError::Disconnected { executed: Executed::Maybe, .. }), "{error:?}");
        assert!(error.to_string().contains(&addr.to_string()), "{error}");
        DeskClient::new(channel).pass().expect("the other one");
        assert_eq!(second.calls(), 1, "the stream was not sent again");
    });
}

#[test]
fn it_is_use() {
    on_one_worker(|| {
        let (server, spring, _) = serve();
        let channel = Channel::builder().idle_timeout(Some(SHORT)).connect(server.local_addr()).expect("it listens");
        let tap = TapClient::new(channel);
        let stream = tap.hold().expect("it begins");
        spring.turnstile.wait_for(1);
        fibra::sleep(SHORT * 5).expect("nothing cancels");
        spring.turnstile.open();
        assert_eq!(stream.finish().expect("its connection is not idle"), 0);
        wait_until(|| !tap.channel().is_connected());
    });
}
