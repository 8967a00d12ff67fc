//! `Duration::MAX` as a setting of a channel means never: nothing is reckoned with it that has no result.

use std::time::Duration;

use fibra::rpc::client::{Hedging, Keepalive, RetryPolicy};
use fibra::rpc::{CallError, Channel};

use crate::support::raw::{self, FAILURE};
use crate::support::stub::{self, Stub};
use crate::support::{DeskClient, on_one_worker, serve};

const NEVER: Duration = Duration::MAX;

#[test]
fn of_a_connection() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut keepalive = Keepalive::default();
        (keepalive.after, keepalive.timeout, keepalive.when_idle) = (NEVER, NEVER, true);
        for keepalive in [None, Some(keepalive)] {
            let builder = Channel::builder().connect_timeout(NEVER).idle_timeout(Some(NEVER)).keepalive(keepalive);
            let desk = DeskClient::new(builder.connect(server.local_addr()).expect("it listens"));
            let desk = desk.within(NEVER).hedge(Hedging::after(NEVER));
            for _ in 0..3 {
                assert_eq!(desk.add(3, 5).expect("a sum"), 8);
            }
            assert_eq!(desk.channel().stats().connections, 1, "it was not lost");
        }
    });
}

/// Nor if the server says so.
#[test]
fn of_a_retry() {
    on_one_worker(|| {
        let policy = RetryPolicy::default().backoff(NEVER, NEVER);
        let never = |_nth, xid| raw::frame(FAILURE, xid, &[&[6, 0, 0][..], &[0xcf], &[0xff; 8]].concat());
        for server in [Stub::start(stub::overloaded), Stub::start(never)] {
            let desk = DeskClient::new(Channel::builder().retry(policy).connect(server.addr()).expect("it listens"));
            let error = desk.pass().expect_err("it is refused");
            assert!(matches!(error, CallError::Overloaded { .. }), "{error:?}");
            assert_eq!(server.calls(), 1, "it would be too late");
        }
    });
}
