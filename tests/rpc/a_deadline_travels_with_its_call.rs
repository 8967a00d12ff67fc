//! What a caller has no more time for, the server's handler and its own calls stop waiting for too.

use std::sync::Arc;
use std::time::Duration;

use fibra::cancel::{Interrupted, with_timeout};
use fibra::rpc::{CallError, Executed, Server};
use parking_lot::Mutex;

use crate::support::{LOOPBACK, connect, on_one_worker, serve, wait_until};

const SHORT: Duration = Duration::from_millis(20);

#[fibra::service]
trait Relay {
    /// Sleeps for an hour, or as long as it may.
    fn sleep(&self);

    /// Calls `wait_for_ever` of the desk.
    fn call_on(&self);
}

/// Notes how its handlers ended.
#[derive(Clone)]
struct Noting {
    desk: crate::support::DeskClient,
    slept: Arc<Mutex<Option<Result<(), Interrupted>>>>,
    called: Arc<Mutex<Option<CallError>>>,
}

impl Relay for Noting {
    fn sleep(&self) {
        *self.slept.lock() = Some(fibra::sleep(Duration::from_secs(3600)));
    }

    fn call_on(&self) {
        *self.called.lock() = self.desk.within(Duration::from_secs(3600)).wait_for_ever().err();
    }
}

#[test]
fn the_handler_and_its_nested_calls_end_with_it() {
    on_one_worker(|| {
        let (desk, _counter) = serve();
        let noting = Noting { desk: connect(&desk), slept: Arc::default(), called: Arc::default() };
        let relay = Server::builder().service(RelayServer::new(noting.clone())).bind(LOOPBACK).expect("a port");
        let proxy = RelayClient::connect(relay.local_addr()).expect("a server");

        assert!(matches!(proxy.within(SHORT).sleep(), Err(CallError::Timeout { .. })));
        wait_until(|| noting.slept.lock().is_some());
        assert_eq!(*noting.slept.lock(), Some(Err(Interrupted::TimedOut)));

        assert!(matches!(proxy.within(SHORT).call_on(), Err(CallError::Timeout { .. })));
        wait_until(|| noting.called.lock().is_some());
        assert!(matches!(*noting.called.lock(), Some(CallError::Timeout { after, .. }) if after <= SHORT));
    });
}

#[test]
fn an_ambient_deadline_bounds_every_call_within_and_leaves_the_connection_alone() {
    on_one_worker(|| {
        let (server, _counter) = serve();
        let proxy = with_timeout(SHORT, || {
            let proxy = connect(&server);
            let error = proxy.wait_for_ever().expect_err("an hour is too long");
            assert!(matches!(error, CallError::Timeout { after, .. } if after <= SHORT), "{error:?}");
            let error = proxy.add(1, 2).expect_err("it is sticky");
            assert_eq!(error.executed(), Executed::No);
            proxy
        });
        // The fibers that serve the connection have not inherited the deadline.
        assert_eq!(proxy.add(3, 5).expect("a reply"), 8);
    });
}
