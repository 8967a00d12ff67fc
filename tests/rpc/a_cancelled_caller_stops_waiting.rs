//! Cancelling the fiber that calls ends the call, with an error that says whether it may have run.

use fibra::rpc::{CallError, Executed};

use crate::support::{connect, join, on_one_worker, serve};

#[test]
fn while_it_waits_and_ever_after() {
    on_one_worker(|| {
        let (server, counter) = serve();
        let proxy = connect(&server);
        let caller = fibra::spawn({
            let proxy = proxy.clone();
            move || (proxy.pass(), proxy.add(3, 5))
        });
        counter.turnstile.wait_for(1);
        caller.cancel();

        let (waited, called_after) = join(caller);
        let waited = waited.expect_err("cancelled");
        assert!(matches!(waited, CallError::Cancelled { .. }), "{waited:?}");
        assert_eq!(waited.executed(), Executed::Maybe);
        assert_eq!(called_after.expect_err("cancelled").executed(), Executed::No);

        counter.turnstile.open();
        assert_eq!(proxy.add(3, 5).expect("the connection goes on"), 8);
    });
}
