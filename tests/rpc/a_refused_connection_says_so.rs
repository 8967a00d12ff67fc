//! Connecting to where nobody listens is a typed error of one line.

use fibra::net::TcpListener;
use fibra::rpc::{Channel, ConnectError};

use crate::support::{DeskClient, LOOPBACK, on_one_worker};

#[test]
fn nobody_listens() {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        drop(listener);
        let error = DeskClient::connect(addr).expect_err("nobody listens");
        assert!(matches!(error, ConnectError::Refused { peer } if peer == addr), "{error:?}");
        assert_eq!(
            error.to_string(),
            format!("cannot connect to {addr}: connection refused; is a server running there?")
        );
    });
}

#[test]
fn the_name_has_no_address() {
    on_one_worker(|| {
        let error = DeskClient::connect("no port").expect_err("not an address");
        assert!(matches!(error, ConnectError::Resolve(_)), "{error:?}");
        assert!(error.to_string().contains("no port"), "{error}");
        let error = Channel::connect_to(Vec::<String>::new()).expect_err("there is none");
        assert!(matches!(error, ConnectError::Resolve(_)), "{error:?}");
        assert!(error.to_string().ends_with("no server was named"), "{error}");
    });
}
