//! Connecting ends after the time that it was given, also with a server that never quite falls silent.

use std::io::Write;
use std::time::Duration;

use fibra::net::TcpListener;
use fibra::rpc::{Channel, ConnectError};

use crate::support::raw::{PREFACE, Raw};
use crate::support::{LOOPBACK, join, on_one_worker};

const TIMEOUT: Duration = Duration::from_millis(300);

/// Of what a server says at first, a byte at a time, each sooner than the client gives up.
fn after_dripping(at_once: &'static [u8], dripped: &'static [u8]) {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let server = fibra::spawn(move || {
            let mut raw = Raw { stream: listener.accept().expect("a client").0, flags: 0 };
            raw.send(at_once);
            let drip = |&byte: &u8| {
                fibra::sleep(TIMEOUT / 3).expect("nobody cancels it");
                raw.stream.write_all(&[byte]).is_ok()
            };
            dripped.iter().copied().take_while(drip).count()
        });
        let error = Channel::builder().connect_timeout(TIMEOUT).connect(addr).expect_err("it takes too long");
        assert!(matches!(error, ConnectError::TimedOut { .. }), "{error:?}");
        assert!(join(server) < dripped.len(), "its client has gone before");
    });
}

#[test]
fn while_the_preface_comes() {
    after_dripping(&[], &PREFACE);
}

#[test]
fn while_the_session_is_opened() {
    // An opened.
    after_dripping(&PREFACE, &[0, 0, 0, 14, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
}
