//! Who gives up on a call ends it on the server, too: what its handler waits for fails.

use std::time::Duration;

use fibra::rpc::{CallError, Executed};

use crate::support::{connect, join, on_one_worker, serve, wait_until};

#[test]
fn when_the_caller_is_cancelled() {
    on_one_worker(|| {
        let (server, counter) = serve();
        let proxy = connect(&server);
        let before = fibra::counters().live;
        let caller = fibra::spawn({
            let proxy = proxy.clone();
            move || proxy.wait_for_ever()
        });
        counter.turnstile.wait_for(1);
        assert_eq!(fibra::counters().live, before + 2, "the caller and the handler");
        caller.cancel();
        let error = join(caller).expect_err("cancelled");
        assert!(matches!(error, CallError::Cancelled { executed: Executed::Maybe, .. }), "{error:?}");
        wait_until(|| fibra::counters().live == before);
        assert_eq!(proxy.add(3, 5).expect("the connection goes on"), 8);
    });
}

#[test]
fn when_its_time_is_up_by_its_own_clock() {
    on_one_worker(|| {
        let (server, counter) = serve();
        let proxy = connect(&server);
        let before = fibra::counters().live;
        let error = proxy.within(Duration::from_millis(20)).wait_for_ever().expect_err("it never returns");
        assert!(matches!(error, CallError::Timeout { executed: Executed::Maybe, .. }), "{error:?}");
        assert_eq!(counter.turnstile.entered(), 1);
        wait_until(|| fibra::counters().live == before);
    });
}
