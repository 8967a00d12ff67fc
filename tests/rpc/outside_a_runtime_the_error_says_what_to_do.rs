//! Connecting or serving where there are no fibers is an error that names the way out.

use fibra::rpc::{BindError, ConnectError, Server};

use crate::support::{DeskClient, LOOPBACK};

#[test]
fn connecting() {
    let error = DeskClient::connect(LOOPBACK).expect_err("no runtime");
    assert!(matches!(error, ConnectError::NoRuntime), "{error:?}");
    assert!(error.to_string().contains("fibra::run"), "{error}");
}

#[test]
fn serving() {
    let error = Server::builder().bind(LOOPBACK).expect_err("no runtime");
    assert!(matches!(error, BindError::NoRuntime), "{error:?}");
    assert!(error.to_string().contains("thread_per_connection"), "{error}");
}
