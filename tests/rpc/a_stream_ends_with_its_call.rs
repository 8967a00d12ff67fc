//! However a call ends, its streams do, and so does what its handler waits for.

use std::sync::atomic::Ordering;
use std::time::Duration;

use fibra::cancel::Interrupted;
use fibra::rpc::client::Nothing;
use fibra::rpc::reflection::MethodInfo;
use fibra::rpc::service::{Method, Semantics};
use fibra::rpc::stream::StreamError;
use fibra::rpc::{CallError, Executed};

use crate::support::{Refusal, connect, on_one_worker, streams, wait_until};

#[test]
fn dropping_the_clients_end_cancels_the_handler() {
    on_one_worker(|| {
        let (server, tap, proxy) = streams::serve();
        let mut beats = proxy.sleep().expect("it begins");
        assert_eq!(beats.recv().expect("a beat"), Some(1));
        tap.turnstile.wait_for(1);
        drop(beats);
        wait_until(|| tap.slept.lock().is_some());
        assert_eq!(*tap.slept.lock(), Some(Err(Interrupted::Cancelled)));

        // A handler that waits for items learns it from them, and one that sends.
        let numbers = proxy.sum().expect("it begins");
        numbers.send(1).expect("it is taken");
        wait_until(|| tap.items.load(Ordering::Relaxed) == 1);
        drop(numbers);
        wait_until(|| tap.ended.lock().is_some());
        assert!(matches!(
            tap.ended.lock().take(),
            Some(StreamError::CallEnded | StreamError::Abandoned | StreamError::Cancelled)
        ));
        let mut numbers = proxy.count(u64::MAX).expect("it begins");
        assert_eq!(numbers.recv().expect("a number"), Some(0));
        drop(numbers);
        wait_until(|| tap.ended.lock().is_some());
        assert!(matches!(tap.ended.lock().take(), Some(StreamError::CallEnded | StreamError::Cancelled)));
        wait_until(|| proxy.channel().stats().in_flight == 0);
        assert_eq!(connect(&server).add(3, 5).expect("a sum"), 8);
    });
}

#[test]
fn its_deadline_is_the_handlers_too() {
    on_one_worker(|| {
        let (_server, tap, proxy) = streams::serve();
        let hasty = proxy.within(Duration::from_millis(50));
        let mut beats = hasty.sleep().expect("it begins");
        assert_eq!(beats.recv().expect("a beat"), Some(1));
        let error = beats.recv().expect_err("an hour is too long");
        assert!(matches!(error, CallError::Timeout { executed: Executed::Yes, .. }), "{error:?}");
        wait_until(|| tap.slept.lock().is_some());
        assert!(matches!(*tap.slept.lock(), Some(Err(Interrupted::TimedOut | Interrupted::Cancelled))));

        // One that nothing was heard of may have begun.
        let blobs = hasty.hold().expect("it begins");
        let error = blobs.finish().expect_err("it is held for ever");
        assert!(matches!(error, CallError::Timeout { executed: Executed::Maybe, .. }), "{error:?}");
    });
}

#[test]
fn a_deadline_of_the_callers_own_cuts_the_wait_only() {
    on_one_worker(|| {
        let (_server, tap, proxy) = streams::serve();
        let (blobs, rest) = proxy.hold().expect("it begins").split();
        let cut = fibra::cancel::with_timeout(Duration::from_millis(10), || {
            // More than there is credit for.
            (0..1_000).try_for_each(|_| blobs.send("x".repeat(1_000)))
        });
        assert_eq!(cut, Err(StreamError::TimedOut));
        tap.turnstile.open();
        blobs.send("one more".to_owned()).expect("it is taken");
        blobs.finish();
        let bytes = rest.finish().expect("what was sent");
        assert_eq!(bytes % 1_000, 8);
    });
}

#[test]
fn a_handlers_own_error_comes_behind_its_items() {
    on_one_worker(|| {
        let (_server, _tap, proxy) = streams::serve();
        let mut numbers = proxy.refuse_after(3).expect("it begins");
        for number in 0..3 {
            assert_eq!(numbers.next().expect("an item").expect("a number"), number);
        }
        let error = numbers.next().expect("an error").expect_err("it refuses");
        assert!(matches!(error, CallError::Application(Refusal::NotEnough { missing: 3 })), "{error:?}");
        assert!(numbers.next().is_none(), "nothing comes behind it");
        let error = numbers.finish().expect_err("it refuses");
        assert!(matches!(error, CallError::Application(Refusal::NotEnough { missing: 3 })), "{error:?}");
    });
}

#[test]
fn a_sender_that_is_dropped_too_early_is_no_end() {
    on_one_worker(|| {
        let (_server, _tap, proxy) = streams::serve();
        let (numbers, sum) = proxy.sum().expect("it begins").split();
        numbers.send(1).expect("it is taken");
        drop(numbers);
        let error = sum.finish().expect_err("half is not the whole");
        assert!(matches!(error, CallError::Application(StreamError::Abandoned)), "{error:?}");
    });
}

#[test]
fn an_item_of_another_type_is_an_error_of_the_stream() {
    on_one_worker(|| {
        let (_server, _tap, proxy) = streams::serve();
        let shout =
            Method::new("tap.shout", Semantics::AtMostOnce).with_client_items("u64").with_server_items("String");
        let shout = streams::untyped(&proxy).stream_fallible::<_, u64, String, u64, StreamError>(&shout, &[(); 0]);
        let shout = shout.expect("it begins");
        shout.send(5).expect("it leaves");
        let error = shout.finish().expect_err("a number is no line");
        assert!(matches!(error, CallError::Application(StreamError::Item(_))), "{error:?}");
    });
}

#[test]
fn a_call_that_does_not_stream_is_told_what_the_method_has() {
    on_one_worker(|| {
        let (_server, _tap, proxy) = streams::serve();
        let proxy = streams::untyped(&proxy);
        let method = |name: &'static str| Method::new(name, Semantics::AtMostOnce);
        let error = proxy.call::<_, i64>(&method("tap.sum"), &[(); 0]).expect_err("there are no numbers");
        assert!(matches!(&error, CallError::BadArguments { message, .. } if message.contains("stream")), "{error:?}");
        let begin = |name| {
            let method = method(name).with_client_items("i64");
            proxy.stream::<_, i64, Nothing, i64>(&method, &(1, 2)).expect("it begins")
        };
        let error = begin("desk.add").finish().expect_err("add takes none");
        assert!(
            matches!(&error, CallError::BadArguments { message, .. } if message.contains("no stream")),
            "{error:?}"
        );
        let error = begin("tap.missing").finish().expect_err("there is no such method");
        assert!(matches!(error, CallError::UnknownMethod { .. }), "{error:?}");
    });
}

#[test]
fn its_method_says_what_its_items_are() {
    let [sum, count, shout, ..] = streams::TapClient::DESCRIPTOR.methods() else { panic!("three at least") };
    assert_eq!(sum.to_string(), "tap.sum(Receiver<i64>) -> Result<i64, StreamError>");
    assert_eq!(count.to_string(), "tap.count(until: u64, Sender<u64>) -> u64");
    assert_eq!((shout.client_items(), shout.server_items()), (Some("String"), Some("String")));
    // And so does a server, to whom asks.
    assert_eq!(MethodInfo::from(count).to_string(), "count(until: u64, Sender<u64>) -> u64");
    assert_eq!(MethodInfo::from(shout).client_items.as_deref(), Some("String"));
}
