//! A channel to several servers spreads its calls over them; one that goes away takes none along, and gets its share again when it is back.

use std::time::Duration;

use fibra::rpc::{CallError, Channel, ConnectError, Executed, Server};

use crate::support::{Counter, DeskClient, DeskServer, on_one_worker, raw, serve, wait_until};

fn open() -> (Server, Counter) {
    let (server, counter) = serve();
    counter.turnstile.open();
    (server, counter)
}

#[test]
fn all_get_their_share() {
    on_one_worker(|| {
        let servers = [open(), open(), open()];
        let channel =
            Channel::connect_to(servers.each_ref().map(|(server, _)| server.local_addr())).expect("they listen");
        wait_until(|| channel.endpoints().iter().all(|endpoint| endpoint.connected));
        let desk = DeskClient::new(channel);
        for _ in 0..300 {
            desk.pass().expect("it is open");
        }
        let shares = servers.each_ref().map(|(_, counter)| counter.turnstile.entered());
        assert_eq!(shares.iter().sum::<usize>(), 300);
        assert!(shares.iter().all(|share| *share > 30), "{shares:?}");
        let stats = desk.channel().stats();
        assert_eq!((stats.calls, stats.attempts, stats.connections), (300, 300, 3));
    });
}

#[test]
fn a_busy_one_gets_less() {
    on_one_worker(|| {
        let (busy, counter) = serve();
        let (free, other) = open();
        let channel = Channel::connect_to([busy.local_addr(), free.local_addr()]).expect("they listen");
        wait_until(|| channel.endpoints().iter().all(|endpoint| endpoint.connected));
        let desk = DeskClient::new(channel);
        // Nobody passes the turnstile of the first; who comes there stays.
        let calls: Vec<_> = (0..64)
            .map(|_| {
                let desk = desk.clone();
                fibra::spawn(move || desk.pass())
            })
            .collect();
        wait_until(|| counter.turnstile.entered() + other.turnstile.entered() == 64);
        let waiting = desk.channel().endpoints()[0].in_flight;
        assert_eq!(waiting, counter.turnstile.entered());
        for _ in 0..100 {
            desk.pass().expect("the other one has none");
        }
        assert_eq!(counter.turnstile.entered(), waiting, "not one more");
        counter.turnstile.open();
        calls.into_iter().for_each(|call| crate::support::join(call).expect("it is open now"));
    });
}

#[test]
fn one_goes_and_comes_back() {
    on_one_worker(|| {
        let (first, _first_counter) = open();
        let (second, _second_counter) = open();
        let addr = first.local_addr();
        let channel = Channel::connect_to([addr, second.local_addr()]).expect("they listen");
        wait_until(|| channel.endpoints().iter().all(|endpoint| endpoint.connected));
        let desk = DeskClient::new(channel);
        first.shutdown();
        for _ in 0..50 {
            desk.add(3, 5).expect("the other one");
            desk.pass().expect("the other one");
        }
        let counter = Counter::default();
        counter.turnstile.open();
        let _again = Server::builder().service(DeskServer::new(counter.clone())).bind(addr).expect("it is free again");
        while counter.turnstile.entered() == 0 {
            desk.pass().expect("one of both");
        }
    });
}

#[test]
fn one_is_enough_to_begin_with() {
    on_one_worker(|| {
        let (server, _counter) = open();
        let channel = Channel::connect_to([raw::nowhere(), server.local_addr()]).expect("the second listens");
        let desk = DeskClient::new(channel);
        for _ in 0..20 {
            desk.pass().expect("the second");
        }
        let error = Channel::connect_to([raw::nowhere(), raw::nowhere()]).expect_err("nobody listens");
        assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
    });
}

/// One that takes connections and says nothing holds up nobody.
#[test]
fn one_that_does_not_answer_is_not_waited_for() {
    on_one_worker(|| {
        let silent = fibra::net::TcpListener::bind(crate::support::LOOPBACK).expect("a free port");
        let (server, _counter) = open();
        let builder = Channel::builder().connect_timeout(Duration::from_secs(3600));
        let addrs = [silent.local_addr().expect("it is bound"), server.local_addr()];
        let channel = builder.connect_to(addrs).expect("the second answers");
        assert_eq!(channel.endpoints().iter().map(|endpoint| endpoint.connected).collect::<Vec<_>>(), [false, true]);
        DeskClient::new(channel).pass().expect("the second");
    });
}

#[test]
fn who_waits_for_the_first_can_be_interrupted() {
    on_one_worker(|| {
        let silent = fibra::net::TcpListener::bind(crate::support::LOOPBACK).expect("a free port");
        let addr = silent.local_addr().expect("it is bound");
        let connecting = fibra::spawn(move || {
            let builder = Channel::builder().connect_timeout(Duration::from_secs(3600));
            builder.connect_to([addr, addr]).expect_err("nobody answers")
        });
        let (accepted, _) = silent.accept().expect("the first dial");
        connecting.cancel();
        let error = crate::support::join(connecting);
        assert!(matches!(error, ConnectError::Io { .. }), "{error:?}");
        drop(accepted);
    });
}

/// A list of servers may have one entry. Then there is nothing to choose, also while that server is away.
#[test]
fn of_which_there_may_be_only_one() {
    on_one_worker(|| {
        let (server, _counter) = serve();
        let addr = server.local_addr();
        let desk = DeskClient::new(Channel::connect_to([addr]).expect("it listens"));
        assert_eq!(desk.add(3, 5).expect("a sum"), 8);
        server.shutdown();
        wait_until(|| !desk.channel().is_connected());
        let error = desk.within(Duration::from_millis(50)).add(3, 5).expect_err("nobody is there");
        assert!(matches!(error, CallError::Disconnected { .. }), "{error:?}");
        assert_eq!(error.executed(), Executed::No);
        let _again =
            Server::builder().service(DeskServer::new(Counter::default())).bind(addr).expect("it is free again");
        assert_eq!(desk.add(3, 5).expect("it is back"), 8);
    });
}
