//! A call ends at its deadline; its late reply is dropped, and the connection goes on.

use std::time::Duration;

use fibra::rpc::{CallError, Executed};

use crate::support::raw::{self, FAILURE, Raw};
use crate::support::{DeskClient, connect, on_one_worker, serve, wait_until};

const SHORT: Duration = Duration::from_millis(20);

#[test]
fn the_late_reply_is_dropped_and_counted() {
    on_one_worker(|| {
        let (server, counter) = serve();
        let proxy = connect(&server);
        let error = proxy.within(SHORT).pass().expect_err("nobody opens the turnstile");
        assert_eq!(error.executed(), Executed::Maybe);
        assert!(error.to_string().starts_with(&format!("desk.pass at {}: no reply within 20ms", server.local_addr())));
        let CallError::Timeout { after, .. } = error else { panic!("{error:?}") };
        assert_eq!(after, SHORT);
        assert_eq!(proxy.channel().stats().in_flight, 0);

        counter.turnstile.open();
        wait_until(|| proxy.channel().stats().late_replies == 1);
        assert_eq!(proxy.add(3, 5).expect("the connection goes on"), 8);
    });
}

#[test]
fn a_call_whose_time_is_up_on_arrival_does_not_run() {
    on_one_worker(|| {
        let (server, counter) = serve();
        counter.turnstile.open();
        let mut raw = Raw::connect(server.local_addr());
        raw.send(&raw::call(1, Duration::ZERO, "desk.pass", &[0x90]));
        let (kind, xid, body) = raw.receive().expect("a failure");
        assert_eq!((kind, xid, body[0]), (FAILURE, 1, 5));
        assert_eq!(counter.turnstile.entered(), 0);
    });
}

/// Neither a call of another process nor one of this, whose handler would else run before anybody looks.
#[test]
fn a_call_whose_time_is_up_does_not_run() {
    on_one_worker(|| {
        let (server, counter) = serve();
        counter.turnstile.open();
        for desk in [connect(&server), DeskClient::local(counter.clone())] {
            desk.pass().expect("there is time");
            let error = desk.within(Duration::ZERO).pass().expect_err("there is none");
            assert!(matches!(error, CallError::Timeout { executed: Executed::No, .. }), "{error:?}");
        }
        assert_eq!(counter.turnstile.entered(), 2);
    });
}
