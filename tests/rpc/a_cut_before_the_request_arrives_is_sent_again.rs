//! A call that gets lost on its way to the server is sent again, and runs.

use crate::support::proxy::Proxy;
use crate::support::{DeskClient, join, on_one_worker, serve};

#[test]
fn with_the_connection() {
    on_one_worker(|| {
        let (server, counter) = serve();
        counter.turnstile.open();
        let proxy = Proxy::to(server.local_addr());
        let desk = DeskClient::connect(proxy.addr()).expect("it listens");
        proxy.to_server().lose(true);
        let call = fibra::spawn({
            let desk = desk.clone();
            move || desk.pass()
        });
        proxy.to_server().wait_for_lost(1);
        assert_eq!(counter.turnstile.entered(), 0);
        proxy.to_server().lose(false);
        proxy.cut();

        join(call).expect("it arrives");
        assert_eq!(counter.turnstile.entered(), 1);
    });
}

#[test]
fn nobody_calls_so_nothing_connects() {
    on_one_worker(|| {
        let (server, _) = serve();
        let proxy = Proxy::to(server.local_addr());
        let desk = DeskClient::connect(proxy.addr()).expect("it listens");
        assert_eq!(desk.add(1, 2).expect("a sum"), 3);
        proxy.cut();
        crate::support::wait_until(|| server.connections() == 0);
        fibra::sleep(std::time::Duration::from_millis(50)).expect("nothing cancels");
        assert_eq!(proxy.accepted(), 1, "five times as long as a call would have taken to connect");

        assert_eq!(desk.add(3, 5).expect("somebody calls"), 8);
        assert_eq!(proxy.accepted(), 2);
    });
}

#[test]
fn a_one_way_call_waits_for_the_connection() {
    on_one_worker(|| {
        let (server, counter) = serve();
        counter.turnstile.open();
        let proxy = Proxy::to(server.local_addr());
        let desk = DeskClient::connect(proxy.addr()).expect("it listens");
        proxy.cut();
        crate::support::wait_until(|| server.connections() == 0);
        // The first may still go out on what is lost; one that is sent on the next connection arrives.
        while counter.turnstile.entered() == 0 {
            desk.pass_unseen().expect("there is a server");
            fibra::yield_now();
        }
    });
}
