//! A server that has restarted knows nothing of what ran: calls that it may have been sent end as `Maybe`, idempotent ones are sent again.

use fibra::rpc::error::Disconnect;
use fibra::rpc::{CallError, Executed};

use crate::support::proxy::Proxy;
use crate::support::{DeskClient, join, on_one_worker, serve};

#[test]
fn at_most_once_and_idempotent() {
    on_one_worker(|| {
        let (before, ran_before) = serve();
        let (after, ran_after) = serve();
        ran_before.turnstile.open();
        ran_after.turnstile.open();
        let proxy = Proxy::to(before.local_addr());
        let desk = DeskClient::connect(proxy.addr()).expect("it listens");
        proxy.to_client().lose(true);
        let once = fibra::spawn({
            let desk = desk.clone();
            move || desk.pass()
        });
        ran_before.turnstile.wait_for(1);
        proxy.to_client().wait_for_lost(17);
        let again = fibra::spawn({
            let desk = desk.clone();
            move || desk.add(3, 5)
        });
        proxy.to_client().wait_for_lost(34);

        proxy.redirect(after.local_addr());
        proxy.to_client().lose(false);
        proxy.cut();
        let error = join(once).expect_err("nobody knows whether it ran");
        assert!(matches!(error, CallError::Disconnected { cause: Disconnect::SessionLost, .. }), "{error:?}");
        assert_eq!(error.executed(), Executed::Maybe);
        assert_eq!(join(again).expect("it may run again"), 8);
        assert_eq!(ran_after.turnstile.entered(), 0, "the one that had been sent was not sent again");

        desk.pass().expect("the next call is of the new session");
        assert_eq!(ran_after.turnstile.entered(), 1);
    });
}
