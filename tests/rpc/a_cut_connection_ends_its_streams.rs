//! A stream belongs to its connection: with that it ends, at both sides, and nothing of it is sent again.

use std::sync::atomic::Ordering;
use std::time::Duration;

use fibra::cancel::Interrupted;
use fibra::rpc::stream::StreamError;
use fibra::rpc::{CallError, Executed, Server};

use crate::support::proxy::Proxy;
use crate::support::streams::{self, Spring, TapClient};
use crate::support::{on_one_worker, wait_until};

fn through_a_proxy() -> (Server, Spring, Proxy, TapClient) {
    let (server, tap, _) = streams::serve();
    let proxy = Proxy::to(server.local_addr());
    let client = TapClient::connect(proxy.addr()).expect("it listens");
    (server, tap, proxy, client)
}

#[test]
fn who_has_heard_of_it_knows_that_it_ran() {
    on_one_worker(|| {
        let (_server, tap, proxy, client) = through_a_proxy();
        let mut beats = client.sleep().expect("it begins");
        assert_eq!(beats.recv().expect("a beat"), Some(1));
        tap.turnstile.wait_for(1);
        proxy.cut();
        let error = beats.recv().expect_err("it is cut");
        assert!(matches!(error, CallError::Disconnected { executed: Executed::Yes, .. }), "{error:?}");
        wait_until(|| tap.slept.lock().is_some());
        assert_eq!(*tap.slept.lock(), Some(Err(Interrupted::Cancelled)), "nobody could be told what it does");

        // The channel connects again for what comes next.
        let sum = client.sum().expect("it begins");
        sum.send(7).expect("it is taken");
        assert_eq!(sum.finish().expect("a sum"), 7);
    });
}

#[test]
fn who_has_not_cannot_know() {
    on_one_worker(|| {
        let (_server, tap, proxy, client) = through_a_proxy();
        let blobs = client.hold().expect("it begins");
        tap.turnstile.wait_for(1);
        proxy.cut();
        let error = (0..).find_map(|_| blobs.send("blob".to_owned()).err());
        assert_eq!(error, Some(StreamError::Disconnected));
        let error = blobs.finish().expect_err("it is cut");
        assert!(matches!(error, CallError::Disconnected { executed: Executed::Maybe, .. }), "{error:?}");
    });
}

/// Nor does anybody connect again for it.
#[test]
fn who_holds_it_still_has_no_call_under_way() {
    on_one_worker(|| {
        let (_server, tap, proxy, client) = through_a_proxy();
        let blobs = client.hold().expect("it begins");
        tap.turnstile.wait_for(1);
        assert_eq!(client.channel().stats().in_flight, 1);
        proxy.cut();
        wait_until(|| client.channel().stats().in_flight == 0);
        assert_eq!(client.channel().stats().connections, 1);
        drop(blobs);
        assert_eq!(client.channel().stats().in_flight, 0, "it is counted out once");
    });
}

#[test]
fn items_that_came_before_are_still_taken() {
    on_one_worker(|| {
        let (_server, tap, proxy, client) = through_a_proxy();
        let mut numbers = client.count(100).expect("it begins");
        wait_until(|| tap.items.load(Ordering::Relaxed) == 100);
        assert_eq!(numbers.recv().expect("a number"), Some(0));
        proxy.cut();
        for number in 1..100 {
            assert_eq!(numbers.recv().expect("it had come"), Some(number));
        }
        // The answer may have come, too.
        match numbers.recv() {
            Ok(None) | Err(CallError::Disconnected { executed: Executed::Yes, .. }) => {}
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_call_that_cannot_leave_has_not_run() {
    on_one_worker(|| {
        let (server, tap, proxy, client) = through_a_proxy();
        drop(server);
        proxy.cut();
        // Until the channel knows.
        wait_until(|| !matches!(client.within(Duration::from_millis(1)).sum().map(drop), Ok(())));
        let error = client.within(Duration::from_millis(20)).sum().expect_err("nobody is there");
        assert_eq!(error.executed(), Executed::No, "{error:?}");
        assert_eq!(tap.items.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn shutting_the_server_down_ends_its_handlers() {
    on_one_worker(|| {
        let (server, tap, proxy) = streams::serve();
        let mut beats = proxy.sleep().expect("it begins");
        assert_eq!(beats.recv().expect("a beat"), Some(1));
        let numbers = proxy.sum().expect("it begins");
        numbers.send(1).expect("it is taken");
        wait_until(|| tap.items.load(Ordering::Relaxed) == 1);
        server.shutdown();
        assert_eq!(*tap.slept.lock(), Some(Err(Interrupted::Cancelled)));
        assert!(matches!(*tap.ended.lock(), Some(StreamError::Disconnected | StreamError::Cancelled)));
        assert!(matches!(beats.recv(), Err(CallError::Disconnected { .. })));
    });
}
