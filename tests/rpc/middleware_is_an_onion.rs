//! Middleware of either side sees a call in the order in which it was added, and its outcome in the opposite one; what it changes about the
//! request, those behind it and the handler see. It is blocking code, and what waits in it stalls no other call.

use std::sync::{Arc, Mutex};

use fibra::rpc::middleware::{Next, Outcome};
use fibra::rpc::{Channel, Request, Server};

use crate::support::{Counter, DeskClient, DeskServer, LOOPBACK, Turnstile, join, on_one_worker};

type Log = Arc<Mutex<Vec<String>>>;

fn lines(log: &Log) -> Vec<String> {
    std::mem::take(&mut log.lock().expect("no panic"))
}

/// Says when a call comes and with what it goes.
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

#[test]
fn from_the_outside_in_and_back() {
    on_one_worker(|| {
        let log = Log::default();
        let builder = Server::builder().service(DeskServer::new(Counter::default()));
        let builder = builder.middleware(layer("c", &log)).middleware(layer("d", &log));
        let server = builder.bind(LOOPBACK).expect("a free port");
        let channel = Channel::connect(server.local_addr()).expect("it listens");
        let around = DeskClient::new(channel.with_middleware(layer("a", &log)).with_middleware(layer("b", &log)));

        assert_eq!(around.add(3, 5).expect("a sum"), 8);
        let way_in = ["a desk.add", "ab desk.add", "abc desk.add", "abcd desk.add"];
        assert_eq!(lines(&log), [&way_in[..], &["d value", "c value", "b value", "a value"]].concat());
        assert!(around.withdraw(1000).is_err());
        assert_eq!(lines(&log)[4..], ["d error", "c error", "b error", "a error"]);

        // The channel itself is as it was.
        assert_eq!(DeskClient::new(channel).add(3, 5).expect("a sum"), 8);
        assert_eq!(lines(&log), ["c desk.add", "cd desk.add", "d value", "c value"]);
    });
}

#[test]
fn around_local_and_started_calls_too() {
    on_one_worker(|| {
        let log = Log::default();
        let server = Server::builder().service(DeskServer::new(Counter::default())).middleware(layer("c", &log));
        let local = Channel::local_server(server).expect("different names").with_middleware(layer("a", &log));
        assert_eq!(DeskClient::new(local).add(3, 5).expect("a sum"), 8);
        assert_eq!(lines(&log), ["a desk.add", "ac desk.add", "c value", "a value"]);

        let server =
            Server::builder().service(DeskServer::new(Counter::default())).bind(LOOPBACK).expect("a free port");
        let channel = Channel::connect(server.local_addr()).expect("it listens").with_middleware(layer("a", &log));
        assert_eq!(DeskClient::new(channel).start().add(3, 5).join().expect("a sum"), 8);
        assert_eq!(lines(&log), ["a desk.add", "a value"]);
    });
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_of_the_handler_is_seen_as_a_failure() {
    on_one_worker(|| {
        let log = Log::default();
        let builder = Server::builder().service(DeskServer::new(Counter::default())).middleware(layer("c", &log));
        let server = builder.bind(LOOPBACK).expect("a free port");
        let desk = DeskClient::connect(server.local_addr()).expect("it listens");
        let error = desk.fail("as asked".to_owned()).expect_err("a panic");
        assert!(matches!(&error, fibra::rpc::CallError::HandlerPanicked { message, .. } if message == "as asked"));
        assert_eq!(lines(&log), ["c desk.fail", "c failure"]);
    });
}

#[test]
fn what_waits_in_it_stalls_no_other_call() {
    on_one_worker(|| {
        let turnstile = Arc::new(Turnstile::default());
        let gate = turnstile.clone();
        let waits = move |request: &mut Request, next: Next<'_>| {
            if request.metadata().get("wait").is_some() {
                gate.pass();
            }
            next.run(request)
        };
        let builder = Server::builder().service(DeskServer::new(Counter::default())).middleware(waits);
        let server = builder.bind(LOOPBACK).expect("a free port");
        let desk = DeskClient::connect(server.local_addr()).expect("it listens");
        let mut metadata = fibra::rpc::Metadata::new();
        metadata.insert("wait", "please").expect("room");
        let slow = desk.with_metadata(metadata);
        let waiting = fibra::spawn(move || slow.add(1, 1).expect("a sum"));
        turnstile.wait_for(1);
        assert_eq!(desk.add(3, 5).expect("a sum"), 8);
        turnstile.open();
        assert_eq!(join(waiting), 2);
    });
}
