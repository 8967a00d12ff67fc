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
        let calls: Vec<_> = (0..64).map(|_| desk.start().pass()).collect();
        let in_flight = || desk.channel().endpoints().iter().map(|endpoint| endpoint.in_flight).collect::<Vec<_>>();
        assert_eq!(in_flight(), [32, 32], "of two, always the one with fewer");
        counter.turnstile.open();
        other.turnstile.open();
        let (joined, dropped) = calls.into_iter().enumerate().partition::<Vec<_>, _>(|(nth, _)| nth % 2 == 0);
        joined.into_iter().for_each(|(_, call)| call.join().expect("it is open"));
        drop(dropped);
        assert_eq!(in_flight(), [0, 0]);
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
