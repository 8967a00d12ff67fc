//! Of several servers, one that refuses call after call is left alone for a while, though it always seems to be the least busy; then it is tried again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fibra::rpc::Channel;
use fibra::rpc::client::RetryPolicy;

use crate::support::stub::{self, Stub};
use crate::support::{DeskClient, on_one_worker, wait_until};

#[test]
fn and_tried_again() {
    on_one_worker(|| {
        let recovered = Arc::new(AtomicBool::new(false));
        let failing = Stub::start({
            let recovered = Arc::clone(&recovered);
            move |nth, xid| {
                if recovered.load(Ordering::SeqCst) { stub::nil(nth, xid) } else { stub::overloaded(nth, xid) }
            }
        });
        let sound = Stub::start(stub::nil);
        let channel = Channel::connect_to([failing.addr(), sound.addr()]).expect("they listen");
        wait_until(|| channel.endpoints().iter().all(|endpoint| endpoint.connected));
        let desk = DeskClient::new(channel).retry(RetryPolicy::never());

        let failed = (0..100).filter(|_| desk.pass().is_err()).count();
        assert_eq!(failed, 5, "then all go to the other");
        let endpoints = desk.channel().endpoints();
        assert!(endpoints[0].ejected && endpoints[0].ejections == 1 && !endpoints[1].ejected, "{endpoints:?}");
        assert_eq!(desk.channel().stats().ejections, 1);

        recovered.store(true, Ordering::SeqCst);
        let before = failing.calls();
        while failing.calls() < before + 10 {
            desk.pass().expect("one of both");
            // An ejection takes a second at most.
            fibra::sleep(Duration::from_millis(5)).expect("nothing cancels");
        }
        assert!(!desk.channel().endpoints()[0].ejected);
    });
}

#[test]
fn a_retry_goes_to_another() {
    on_one_worker(|| {
        let failing = Stub::start(stub::overloaded);
        let sound = Stub::start(stub::nil);
        let channel = Channel::connect_to([failing.addr(), sound.addr()]).expect("they listen");
        wait_until(|| channel.endpoints().iter().all(|endpoint| endpoint.connected));
        let desk = DeskClient::new(channel);
        for _ in 0..100 {
            desk.pass().expect("the other one serves it");
        }
        assert_eq!(failing.calls(), 5, "before it was left alone");
        assert_eq!(desk.channel().stats().retries, 5);
    });
}

#[test]
fn but_if_there_is_no_other_it_is_called_all_the_same() {
    on_one_worker(|| {
        let failing = [Stub::start(stub::overloaded), Stub::start(stub::overloaded)];
        let channel = Channel::connect_to(failing.each_ref().map(Stub::addr)).expect("they listen");
        wait_until(|| channel.endpoints().iter().all(|endpoint| endpoint.connected));
        let desk = DeskClient::new(channel).retry(RetryPolicy::never());
        for _ in 0..100 {
            desk.pass().expect_err("refused");
        }
        assert_eq!(failing.iter().map(Stub::calls).sum::<u64>(), 100);
    });
}
