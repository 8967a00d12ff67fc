//! A call that is started and joined later goes to the less busy of a channel's servers, counts there until it ends, and says where it was.

use fibra::rpc::client::Pending;
use fibra::rpc::{CallError, Channel};

use crate::support::stub::Stub;
use crate::support::{DeskClient, on_one_worker, serve, wait_until};

#[test]
fn it_counts_until_it_ends() {
    on_one_worker(|| {
        let (first, counter) = serve();
        let (second, other) = serve();
        let channel = Channel::connect_to([first.local_addr(), second.local_addr()]).expect("they listen");
        wait_until(|| channel.endpoints().iter().all(|endpoint| endpoint.connected));
        let desk = DeskClient::new(channel);
        let mut calls: Vec<_> = (0..64).map(|_| desk.start().pass()).collect();
        let in_flight = || desk.channel().endpoints().iter().map(|endpoint| endpoint.in_flight).collect::<Vec<_>>();
        assert_eq!(in_flight(), [32, 32], "of two, always the one with fewer");
        counter.turnstile.open();
        wait_until(|| in_flight() == [0, 32]);
        calls.retain_mut(|call| call.try_join().is_none());
        assert_eq!(calls.len(), 32);
        // The first has none, and would have to have 32 more before the other got another.
        let later: Vec<_> = (0..16).map(|_| desk.start().pass()).collect();
        wait_until(|| counter.turnstile.entered() + other.turnstile.entered() == 80);
        assert_eq!((counter.turnstile.entered(), other.turnstile.entered()), (48, 32));
        // Nor have those weight that are given up.
        drop((later, calls));
        other.turnstile.open();
        let calls: Vec<_> = (0..20).map(|_| desk.start().pass()).collect();
        assert_eq!(in_flight(), [10, 10]);
        calls.into_iter().for_each(|call| call.join().expect("it is open"));
    });
}

#[test]
fn its_error_names_it() {
    on_one_worker(|| {
        let servers = [Stub::start(panicked), Stub::start_at("127.0.0.1:0".parse().expect("one"), 2, panicked)];
        let channel = Channel::connect_to(servers.each_ref().map(Stub::addr)).expect("they listen");
        wait_until(|| channel.endpoints().iter().all(|endpoint| endpoint.connected));
        let desk = DeskClient::new(channel);
        for _ in 0..20 {
            let before = servers.each_ref().map(Stub::calls);
            let error: CallError = Pending::join(desk.start().pass()).expect_err("it panics");
            let called = servers.iter().zip(before).position(|(server, before)| server.calls() > before);
            let addr = servers[called.expect("one of them")].addr().to_string();
            assert!(error.to_string().contains(&addr), "{error} at {addr}");
        }
    });
}

/// A panic of the handler: it has run, and is not made again.
fn panicked(_nth: u64, xid: u64) -> Vec<u8> {
    crate::support::raw::frame(crate::support::raw::FAILURE, xid, &[2, 0, 0])
}
