//! A client's middleware is around a call with streams as it is around others: it sees the call before it is opened, and what it ended with, and has
//! the last word. Items pass by it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fibra::rpc::middleware::{Denial, Next, Outcome};
use fibra::rpc::{CallError, Channel, Executed, Request, Server};

use crate::support::streams::{Spring, TapClient, TapServer};
use crate::support::{LOOPBACK, Refusal, Turnstile, join, on_one_worker, wait_until};

type Log = Arc<Mutex<Vec<String>>>;

fn lines(log: &Log) -> Vec<String> {
    std::mem::take(&mut log.lock().expect("no panic"))
}

fn layer(name: &'static str, log: &Log) -> impl Fn(&mut Request, Next<'_>) -> Outcome + use<> {
    let log = log.clone();
    move |request: &mut Request, next: Next<'_>| {
        let path = [request.metadata().text("path").unwrap_or_default(), name].concat();
        request.metadata_mut().insert("path", &path).expect("room");
        log.lock().expect("no panic").push(format!("{path} {}", request.method()));
        let outcome = next.run(request);
        let kind = if outcome.is_value() {
            "value"
        } else if outcome.is_application_error() {
            "error"
        } else {
            "failure"
        };
        log.lock().expect("no panic").push(format!("{name} {kind}"));
        outcome
    }
}

fn serve(log: &Log) -> (Server, Spring, Channel) {
    let spring = Spring::default();
    let builder = Server::builder().service(TapServer::new(spring.clone())).middleware(layer("s", log));
    let server = builder.bind(LOOPBACK).expect("a free port");
    let channel = Channel::connect(server.local_addr()).expect("it listens");
    (server, spring, channel)
}

#[test]
fn from_the_outside_in_and_back() {
    on_one_worker(|| {
        let log = Log::default();
        let (_server, _spring, channel) = serve(&log);
        let service = Server::builder().service(TapServer::new(Spring::default())).middleware(layer("s", &log));
        let local = Channel::local_server(service).expect("one service");
        for channel in [channel, local] {
            let proxy = TapClient::new(channel.with_middleware(layer("a", &log)).with_middleware(layer("b", &log)));
            let mut shout = proxy.shout().expect("it begins");
            for line in ["a", "be", "sea"] {
                shout.send(line.to_owned()).expect("it is taken");
                assert_eq!(shout.recv().expect("an answer"), Some(line.to_uppercase()));
            }
            assert_eq!(lines(&log), ["a tap.shout", "ab tap.shout", "abs tap.shout"]);
            assert_eq!(shout.finish().expect("how many"), 3);
            assert_eq!(lines(&log), ["s value", "b value", "a value"]);

            let mut numbers = proxy.refuse_after(1).expect("it begins");
            assert_eq!(numbers.next().expect("an item").expect("a number"), 0);
            for _ in 0..2 {
                let error = numbers.recv().expect_err("it refuses");
                assert!(matches!(error, CallError::Application(Refusal::NotEnough { missing: 1 })), "{error:?}");
            }
            assert_eq!(lines(&log)[3..], ["s error", "b error", "a error"]);

            drop(proxy.hold().expect("it begins"));
            wait_until(|| log.lock().expect("no panic").iter().filter(|line| line.ends_with("failure")).count() >= 2);
            lines(&log);
        }
    });
}

#[test]
fn what_it_refuses_is_not_opened() {
    on_one_worker(|| {
        let log = Log::default();
        let (_server, _spring, channel) = serve(&log);
        let refuse = |_: &mut Request, _: Next<'_>| Denial::new("not today").into();
        let error = TapClient::new(channel.with_middleware(refuse)).sum().expect_err("it is refused");
        assert!(matches!(&error, CallError::Denied { executed: Executed::No, message, .. } if message == "not today"));
        let late = |request: &mut Request, next: Next<'_>| {
            let _outcome = next.run(request);
            Denial::new("not like this").into()
        };
        let sum = TapClient::new(channel.with_middleware(late)).sum().expect("it begins");
        let error = sum.finish().expect_err("it is refused in the end");
        assert!(matches!(error, CallError::Denied { executed: Executed::Yes, .. }), "{error:?}");
        assert_eq!(lines(&log), ["s tap.sum", "s value"]);
    });
}

#[test]
fn it_opens_it_once() {
    on_one_worker(|| {
        let log = Log::default();
        let (_server, _spring, channel) = serve(&log);
        let twice = |request: &mut Request, mut next: Next<'_>| {
            let _outcome = next.attempt(request);
            next.attempt(request)
        };
        let sum = TapClient::new(channel.with_middleware(twice)).sum().expect("it begins");
        sum.send(3).expect("it is taken");
        let error = sum.finish().expect_err("there is no second attempt");
        assert!(matches!(&error, CallError::Refused { message, .. } if message.contains("one attempt")), "{error:?}");
        assert_ne!(error.executed(), Executed::No);
        assert_eq!(lines(&log), ["s tap.sum", "s value"]);
    });
}

#[test]
fn who_waits_for_it_can_be_cut() {
    on_one_worker(|| {
        let log = Log::default();
        let (_server, spring, channel) = serve(&log);
        let turnstile = Arc::new(Turnstile::default());
        let slow = {
            let turnstile = Arc::clone(&turnstile);
            move |request: &mut Request, next: Next<'_>| {
                turnstile.pass();
                next.run(request)
            }
        };
        let proxy = TapClient::new(channel.with_middleware(slow));
        let opening = fibra::spawn({
            let proxy = proxy.clone();
            move || proxy.hold().err()
        });
        turnstile.wait_for(1);
        opening.cancel();
        let error = join(opening).expect("it is cut");
        assert!(matches!(error, CallError::Cancelled { .. }), "{error:?}");

        turnstile.open();
        spring.turnstile.wait_for(0);
        let held = proxy.within(Duration::from_millis(50)).hold().expect("it begins");
        let error = held.finish().expect_err("nobody lets it go");
        assert!(matches!(error, CallError::Timeout { .. }), "{error:?}");
        let sum = proxy.sum().expect("it begins");
        sum.send(3).expect("it is taken");
        assert_eq!(sum.finish().expect("a sum"), 3);
    });
}

/// The middleware lets it go on only when its caller has been cut.
fn late(turnstile: &Arc<Turnstile>, log: &Log) -> impl Fn(&mut Request, Next<'_>) -> Outcome + use<> {
    let (turnstile, log) = (Arc::clone(turnstile), log.clone());
    move |request: &mut Request, next: Next<'_>| {
        let outcome = fibra::cancel::shield(|| {
            turnstile.pass();
            next.run(request)
        });
        log.lock().expect("no panic").push("late".to_owned());
        outcome
    }
}

#[test]
fn who_is_cut_while_it_opens_leaves_no_call_behind() {
    on_one_worker(|| {
        let log = Log::default();
        let (_server, spring, channel) = serve(&log);
        let turnstile = Arc::new(Turnstile::default());
        let proxy = TapClient::new(channel.with_middleware(late(&turnstile, &log)));
        let opening = fibra::spawn(move || proxy.within(Duration::from_secs(5)).hold().err());
        turnstile.wait_for(1);
        opening.cancel();
        // It finds that first.
        fibra::yield_now();
        turnstile.open();
        let error = join(opening).expect("it is cut");
        assert!(matches!(error, CallError::Cancelled { executed: Executed::Maybe, .. }), "{error:?}");
        assert_eq!(channel.stats().in_flight, 0);
        spring.turnstile.open();
    });
}

#[test]
fn nor_does_who_is_cut_on_a_plain_thread() {
    on_one_worker(|| {
        let log = Log::default();
        let (_server, _spring, channel) = serve(&log);
        let turnstile = Arc::new(Turnstile::default());
        let proxy = TapClient::new(channel.with_middleware(late(&turnstile, &log)));
        let thread = std::thread::spawn(move || {
            fibra::cancel::with_timeout(Duration::from_millis(10), || proxy.hold().map(|held| held.finish()))
        });
        let error = fibra::blocking(move || thread.join().expect("no panic")).expect("a thread for it");
        let error = error.expect_err("it does not begin in time");
        assert!(matches!(error, CallError::Timeout { executed: Executed::Maybe, .. }), "{error:?}");
        turnstile.open();
        wait_until(|| lines(&log).contains(&"late".to_owned()));
        assert_eq!(channel.stats().in_flight, 0);
    });
}

#[test]
fn of_a_plain_thread_too() {
    on_one_worker(|| {
        let log = Log::default();
        let (_server, _spring, channel) = serve(&log);
        let proxy = TapClient::new(channel.with_middleware(layer("a", &log)));
        let thread = std::thread::spawn(move || {
            let sum = proxy.sum().expect("it begins");
            (0..100).for_each(|_| sum.send(1).expect("it is taken"));
            sum.finish()
        });
        let sum = fibra::blocking(move || thread.join().expect("no panic")).expect("a thread for it");
        assert_eq!(sum.expect("a sum"), 100);
        assert_eq!(lines(&log), ["a tap.sum", "as tap.sum", "s value", "a value"]);
    });
}
