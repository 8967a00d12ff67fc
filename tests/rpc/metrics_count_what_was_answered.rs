//! A server that counts tells Prometheus how many calls each method had, what they were answered with, how long they took, and which are
//! under way; one that does not, its connections and sessions.

use std::time::Duration;

use fibra::rpc::Server;

use crate::support::raw::{self, Raw};
use crate::support::{Counter, DeskClient, DeskServer, LOOPBACK, join, on_one_worker};

/// The value of that name and those labels.
fn value(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    Some(line.parse().expect("a number"))
}

/// Every line is a comment or a sample, and every sample's name has its type before it.
fn is_well_formed(text: &str) {
    let mut typed = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            typed = rest.split(' ').next().expect("a name").to_owned();
        } else if !line.starts_with("# HELP ") {
            let (name, value) = line.rsplit_once(' ').expect("a value");
            assert!(name.starts_with(&typed), "{line} is not of {typed}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
    assert!(text.ends_with('\n'));
}

#[test]
fn by_method_and_outcome() {
    on_one_worker(|| {
        let counter = Counter::default();
        let server =
            Server::builder().service(DeskServer::new(counter.clone())).metrics().bind(LOOPBACK).expect("a port");
        let desk = DeskClient::connect(server.local_addr()).expect("it listens");
        for _ in 0..3 {
            assert_eq!(desk.add(3, 5).expect("a sum"), 8);
        }
        assert!(desk.withdraw(1000).is_err());
        assert!(desk.withdraw(10).is_ok());
        let waiting = fibra::spawn({
            let desk = desk.clone();
            move || desk.pass().expect("an answer")
        });
        counter.turnstile.wait_for(1);

        let text = server.metrics();
        is_well_formed(&text);
        let calls = |method: &str, outcome: &str| {
            value(&text, &format!("fibra_rpc_calls_total{{method=\"desk.{method}\",outcome=\"{outcome}\"}}"))
        };
        assert_eq!(calls("add", "value"), Some(3.0));
        assert_eq!((calls("withdraw", "value"), calls("withdraw", "application")), (Some(1.0), Some(1.0)));
        assert_eq!(calls("pass", "value"), None);
        assert_eq!(value(&text, "fibra_rpc_calls_in_flight{method=\"desk.pass\"}"), Some(1.0));
        assert_eq!(value(&text, "fibra_rpc_calls_in_flight{method=\"desk.add\"}"), Some(0.0));
        assert_eq!(value(&text, "fibra_rpc_call_seconds_count{method=\"desk.add\"}"), Some(3.0));
        assert_eq!(value(&text, "fibra_rpc_call_seconds_bucket{method=\"desk.add\",le=\"+Inf\"}"), Some(3.0));
        assert_eq!(
            value(&text, "fibra_rpc_argument_bytes_total{method=\"desk.add\"}"),
            Some(9.0),
            "three times [3, 5]"
        );
        assert_eq!(
            value(&text, "fibra_rpc_reply_bytes_total{method=\"desk.add\"}"),
            Some(51.0),
            "three times 16 and 1"
        );
        assert_eq!((value(&text, "fibra_rpc_connections"), value(&text, "fibra_rpc_sessions")), (Some(1.0), Some(1.0)));
        assert_eq!(value(&text, "fibra_scheduler_workers"), Some(1.0));
        counter.turnstile.open();
        join(waiting);
        let text = server.metrics();
        assert_eq!(value(&text, "fibra_rpc_calls_in_flight{method=\"desk.pass\"}"), Some(0.0));

        // What was counted for a connection stays when it goes.
        drop(desk);
        crate::support::wait_until(|| server.connections() == 0);
        assert_eq!(calls("add", "value"), Some(3.0));
        assert_eq!(value(&server.metrics(), "fibra_rpc_call_seconds_count{method=\"desk.add\"}"), Some(3.0));
    });
}

#[test]
fn copies_and_refusals() {
    on_one_worker(|| {
        let server =
            Server::builder().service(DeskServer::new(Counter::default())).metrics().bind(LOOPBACK).expect("a port");
        let mut raw = Raw::connect(server.local_addr());
        for _ in 0..2 {
            raw.send(&raw::add(1, 3, 5));
            raw.receive().expect("a sum");
        }
        raw.send(&raw::call(2, Duration::from_secs(10), "desk.nothing", &[0x90]));
        raw.receive().expect("a failure");
        raw.send(&raw::call(3, Duration::ZERO, "desk.pass", &[0x90]));
        raw.receive().expect("a failure");
        let text = server.metrics();
        is_well_formed(&text);
        assert_eq!(value(&text, "fibra_rpc_copies_total{got=\"reply\"}"), Some(1.0));
        assert_eq!(value(&text, "fibra_rpc_refused_total{reason=\"unknown_method\"}"), Some(1.0));
        assert_eq!(value(&text, "fibra_rpc_refused_total{reason=\"expired\"}"), Some(1.0));
    });
}

#[test]
fn without_being_asked_to() {
    on_one_worker(|| {
        let server = Server::builder().service(DeskServer::new(Counter::default())).bind(LOOPBACK).expect("a port");
        let desk = DeskClient::connect(server.local_addr()).expect("it listens");
        desk.add(3, 5).expect("a sum");
        let text = server.metrics();
        is_well_formed(&text);
        assert_eq!(value(&text, "fibra_rpc_connections"), Some(1.0));
        assert!(!text.contains("fibra_rpc_call"), "{text}");
    });
}
