//! Every server says of itself and of each service whether it wants calls, until it is shut down; one that was told not to has no such
//! method.

use fibra::rpc::health::{HealthClient, Status};
use fibra::rpc::{CallError, Channel, Server};

use crate::support::{Counter, DeskServer, LOOPBACK, on_one_worker};

fn server(says_health: bool) -> Server {
    let builder = Server::builder().service(DeskServer::new(Counter::default()));
    let builder = if says_health { builder } else { builder.without_health() };
    builder.bind(LOOPBACK).expect("a free port")
}

#[test]
fn of_itself_and_of_its_services() {
    on_one_worker(|| {
        let server = server(true);
        let channel = Channel::connect(server.local_addr()).expect("it listens");
        let health = HealthClient::new(channel);
        assert_eq!(health.check("").expect("an answer"), Status::Serving);
        assert_eq!(health.check("desk").expect("an answer"), Status::Serving);
        assert_eq!(health.check("bank").expect("an answer"), Status::Unknown);
        server.health().set("desk", Status::NotServing);
        assert_eq!(health.check("desk").expect("an answer"), Status::NotServing);
        assert_eq!(health.check("").expect("an answer"), Status::Serving);
        server.health().set("desk", Status::Serving);
        assert_eq!(health.check("desk").expect("an answer"), Status::Serving);
    });
}

#[test]
fn until_it_is_shut_down() {
    on_one_worker(|| {
        let server = server(true);
        let health = server.health().clone();
        server.shutdown();
        assert_eq!((health.check(""), health.check("desk")), (Status::NotServing, Status::NotServing));
        health.set("desk", Status::Serving);
        assert_eq!((health.check("desk"), health.check("bank")), (Status::NotServing, Status::Unknown));
    });
}

#[test]
fn unless_told_not_to() {
    on_one_worker(|| {
        let server = server(false);
        let health = HealthClient::connect(server.local_addr()).expect("it listens");
        let error = health.check("").expect_err("no such method");
        assert!(matches!(error, CallError::UnknownMethod { .. }), "{error}");
    });
}

#[test]
fn whenever_that_changes() {
    on_one_worker(|| {
        let server = server(true);
        let client = HealthClient::connect(server.local_addr()).expect("it listens");
        let mut desk = client.watch("desk").expect("it begins");
        let mut bank = client.watch("bank").expect("it begins");
        let mut next = |expected| {
            assert_eq!(desk.next().expect("it goes on").expect("a status"), expected);
        };
        next(Status::Serving);
        assert_eq!(bank.next().expect("it goes on").expect("a status"), Status::Unknown);
        let health = server.health().clone();
        health.set("desk", Status::NotServing);
        next(Status::NotServing);
        health.set("desk", Status::NotServing);
        health.set("bank", Status::Serving);
        health.set("desk", Status::Serving);
        next(Status::Serving);
        assert_eq!(bank.next().expect("it goes on").expect("a status"), Status::Serving);

        // Who watches does not keep the server from going down.
        let draining = fibra::spawn(move || server.drain(std::time::Duration::from_secs(60)));
        next(Status::NotServing);
        assert!(desk.next().is_none());
        desk.finish().expect("it has ended by itself");
        assert_eq!(bank.next().expect("it goes on").expect("a status"), Status::NotServing);
        assert!(bank.next().is_none());
        drop((client, bank));
        assert_eq!(crate::support::join(draining), fibra::rpc::server::Drained::Complete);
    });
}

#[test]
fn who_stops_watching_frees_the_server() {
    on_one_worker(|| {
        let server = server(true);
        let client = HealthClient::connect(server.local_addr()).expect("it listens");
        let mut watching = client.watch("").expect("it begins");
        assert_eq!(watching.next().expect("it goes on").expect("a status"), Status::Serving);
        let waiting = |count: u64| server.metrics().contains(&format!("fibra_rpc_waiting_calls {count}\n"));
        assert!(waiting(1));
        drop(watching);
        crate::support::wait_until(|| waiting(0));
    });
}
