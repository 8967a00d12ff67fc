//! What a service of this process sends and takes is what it would over a connection: in all kinds, with the same ends and the same limits.

use std::sync::atomic::Ordering;
use std::time::Duration;

use fibra::cancel::Interrupted;
use fibra::rpc::client::Nothing;
use fibra::rpc::service::{Method, Semantics};
use fibra::rpc::stream::{Receiver, StreamError};
use fibra::rpc::{CallError, Channel, Executed, Limits, Server};
use serde::{Deserialize, Serialize};

use crate::support::streams::{self, Spring, TapClient, TapServer};
use crate::support::{LOOPBACK, Refusal, join, on_one_worker, on_two_workers, wait_until};

/// Answers at length.
#[fibra::service]
trait Orator {
    /// What comes, as one value.
    fn speak(&self, words: Receiver<String>) -> String;

    /// What comes, as one error.
    fn complain(&self, words: Receiver<String>) -> Result<(), Complaint>;
}

#[derive(Debug, Serialize, Deserialize)]
struct Complaint(String);

impl std::fmt::Display for Complaint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Complaint {}

struct Speaker;

impl Orator for Speaker {
    fn speak(&self, words: Receiver<String>) -> String {
        words.map(|word| word.expect("it comes")).collect()
    }

    fn complain(&self, words: Receiver<String>) -> Result<(), Complaint> {
        Err(Complaint(self.speak(words)))
    }
}

/// Runs the same with a proxy of a server, and with one of this process.
fn both(test: impl Fn(&TapClient, &Spring)) {
    on_one_worker(|| {
        let (_server, spring, proxy) = streams::serve();
        test(&proxy, &spring);
        let spring = Spring::default();
        test(&TapClient::local(spring.clone()), &spring);
    });
}

#[test]
fn in_all_kinds() {
    both(|proxy, _| {
        let sum = proxy.sum().expect("it begins");
        (1..=10_000).for_each(|number| sum.send(number).expect("it is taken"));
        assert_eq!(sum.finish().expect("a sum"), 50_005_000);

        let mut numbers = proxy.count(50_000).expect("it begins");
        assert!(numbers.by_ref().map(|number| number.expect("a number")).eq(0..50_000));
        numbers.finish().expect("how many");

        let mut shout = proxy.shout().expect("it begins");
        for line in ["a", "be", "sea"] {
            shout.send(line.to_owned()).expect("it is taken");
            assert_eq!(shout.recv().expect("an answer"), Some(line.to_uppercase()));
        }
        assert_eq!(shout.finish().expect("how many"), 3);

        // Longer than any window.
        let blobs = proxy.blobs(2, 1 << 20).expect("it begins");
        assert!(blobs.map(|blob| blob.expect("a blob").len()).eq([1 << 20; 2]));
    });
}

#[test]
fn with_long_answers() {
    on_one_worker(|| {
        let server = Server::builder().service(OratorServer::new(Speaker)).bind(LOOPBACK).expect("a free port");
        let remote = OratorClient::connect(server.local_addr()).expect("it listens");
        let word = "x".repeat(1 << 18);
        let words = || (0..5).map(|_| word.clone());
        for proxy in [remote, OratorClient::local(Speaker)] {
            let value = proxy.speak().expect("it begins");
            words().try_for_each(|word| value.send(word)).expect("it is taken");
            let value = value.finish().expect("a value");
            assert!(value == words().collect::<String>(), "{} bytes", value.len());

            let error = proxy.complain().expect("it begins");
            words().try_for_each(|word| error.send(word)).expect("it is taken");
            match error.finish().expect_err("it complains") {
                CallError::Application(Complaint(text)) => assert!(text == words().collect::<String>()),
                error => panic!("{error:?}"),
            }
        }
    });
}

#[test]
fn from_several_workers_at_once() {
    on_two_workers(|| {
        let proxy = TapClient::local(Spring::default());
        let (lines, mut answers) = proxy.shout().expect("it begins").split();
        let sender = fibra::spawn(move || {
            (0..20_000).for_each(|number| lines.send(format!("line {number}")).expect("it is taken"));
            lines.finish();
        });
        for number in 0..20_000 {
            assert_eq!(answers.recv().expect("an answer"), Some(format!("LINE {number}")));
        }
        assert_eq!(answers.recv().expect("the end"), None);
        assert_eq!(answers.finish().expect("how many"), 20_000);
        join(sender);
    });
}

#[test]
fn who_does_not_take_holds_up_who_sends() {
    both(|proxy, spring| {
        let blobs = proxy.hold().expect("it begins");
        let cut = fibra::cancel::with_timeout(Duration::from_millis(20), || {
            (0..10_000).try_for_each(|_| blobs.send("x".repeat(1_000)))
        });
        assert_eq!(cut, Err(StreamError::TimedOut));
        spring.turnstile.open();
        let bytes = blobs.finish().expect("what was sent");
        assert!(bytes <= 16 * 1024, "{bytes} without having been asked for more");
    });
}

#[test]
fn with_the_same_ends() {
    both(|proxy, spring| {
        let mut numbers = proxy.refuse_after(3).expect("it begins");
        assert!(numbers.by_ref().take(3).map(|number| number.expect("a number")).eq(0..3));
        let error = numbers.next().expect("an error").expect_err("it refuses");
        assert!(matches!(error, CallError::Application(Refusal::NotEnough { missing: 3 })), "{error:?}");

        let (numbers, sum) = proxy.sum().expect("it begins").split();
        numbers.send(1).expect("it is taken");
        drop(numbers);
        let error = sum.finish().expect_err("half is not the whole");
        assert!(matches!(error, CallError::Application(StreamError::Abandoned)), "{error:?}");

        let missing = Method::new("tap.missing", Semantics::AtMostOnce).with_client_items("i64");
        let missing = streams::untyped(proxy).stream::<_, i64, Nothing, i64>(&missing, &[(); 0]).expect("it begins");
        let error = missing.finish().expect_err("there is no such method");
        assert!(matches!(error, CallError::UnknownMethod { .. }), "{error:?}");

        // It takes two, and no more.
        spring.turnstile.open();
        let some = proxy.take_some(2).expect("it begins");
        let stopped = (0..100_000).map(|_| some.send(4)).find_map(Result::err);
        assert!(matches!(stopped, Some(StreamError::Stopped | StreamError::CallEnded)), "{stopped:?}");
        assert_eq!(some.finish().expect("a sum"), 8);
    });
}

#[test]
fn dropping_it_cancels_the_handler() {
    both(|proxy, spring| {
        let mut beats = proxy.sleep().expect("it begins");
        assert_eq!(beats.recv().expect("a beat"), Some(1));
        spring.turnstile.wait_for(1);
        drop(beats);
        wait_until(|| spring.slept.lock().is_some());
        assert_eq!(*spring.slept.lock(), Some(Err(Interrupted::Cancelled)));

        let mut numbers = proxy.count(u64::MAX).expect("it begins");
        assert_eq!(numbers.recv().expect("a number"), Some(0));
        drop(numbers);
        wait_until(|| spring.ended.lock().is_some());
        let ended = spring.ended.lock().take();
        assert!(matches!(ended, Some(StreamError::CallEnded | StreamError::Cancelled)), "{ended:?}");
    });
}

#[test]
fn its_deadline_is_the_handlers_too() {
    both(|proxy, spring| {
        let mut beats = proxy.within(Duration::from_millis(50)).sleep().expect("it begins");
        assert_eq!(beats.recv().expect("a beat"), Some(1));
        let error = beats.recv().expect_err("an hour is too long");
        assert!(matches!(error, CallError::Timeout { executed: Executed::Yes, .. }), "{error:?}");
        wait_until(|| spring.slept.lock().is_some());
    });
}

#[test]
fn as_many_as_there_may_be() {
    on_one_worker(|| {
        let mut limits = Limits::default();
        limits.in_flight = 2;
        let spring = Spring::default();
        let server = Server::builder().limits(limits).service(TapServer::new(spring.clone()));
        let proxy = TapClient::new(Channel::local_server(server).expect("one service"));
        let held = [proxy.hold(), proxy.hold()].map(|call| call.expect("it begins"));
        let error = proxy.sum().expect("it begins").finish().expect_err("two are held");
        assert!(matches!(error, CallError::Overloaded { .. }), "{error:?}");
        spring.turnstile.open();
        assert!(held.map(|call| call.finish().expect("nothing came")).iter().all(|&bytes| bytes == 0));
        assert_eq!(spring.items.load(Ordering::Relaxed), 0);
        wait_until(|| proxy.sum().expect("it begins").finish().is_ok());
    });
}

#[test]
fn without_a_runtime_it_says_what_is_missing() {
    let error = TapClient::local(Spring::default()).sum().expect_err("there is no fiber for its handler");
    assert!(
        matches!(&error, CallError::Refused { executed: Executed::No, message, .. } if message.contains("runtime"))
    );
}
