//! A server without the method says so: which one, and that it did not run.

use fibra::rpc::{CallError, Executed, Server};

use crate::support::{LOOPBACK, connect, on_one_worker};

#[test]
fn a_server_of_another_service() {
    on_one_worker(|| {
        let server = Server::builder().bind(LOOPBACK).expect("a free port");
        let error = connect(&server).add(3, 5).expect_err("nothing is served");
        assert!(matches!(error, CallError::UnknownMethod { .. }), "{error:?}");
        assert_eq!(error.executed(), Executed::No);
        assert!(error.to_string().contains("no method `desk.add`"), "{error}");
    });
}
