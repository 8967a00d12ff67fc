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
