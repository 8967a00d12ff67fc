//! Serving where another listens, or two services of one name, is a typed error of one line.

use fibra::rpc::{BindError, Server};

use crate::support::{Counter, DeskServer, LOOPBACK, on_one_worker, serve};

#[test]
fn another_socket_listens_there() {
    on_one_worker(|| {
        let (server, _) = serve();
        let error = Server::builder().bind(server.local_addr()).expect_err("in use");
        assert!(matches!(error, BindError::AddressInUse { addr } if addr == server.local_addr()), "{error:?}");
        assert!(error.to_string().contains("the address is in use"), "{error}");
    });
}

#[test]
fn two_services_have_one_name() {
    on_one_worker(|| {
        let desk = || DeskServer::new(Counter::default());
        let error = Server::builder().service(desk()).service(desk()).bind(LOOPBACK).expect_err("one name");
        assert!(matches!(error, BindError::DuplicateMethod { ref name } if name == "desk.add"), "{error:?}");
    });
}
