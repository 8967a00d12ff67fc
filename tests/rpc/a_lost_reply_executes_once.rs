//! A call whose reply gets lost with the connection is sent again, and answered without running again.

use crate::support::proxy::Proxy;
use crate::support::{DeskClient, join, on_one_worker, serve};

#[test]
fn when_it_has_run() {
    on_one_worker(|| {
        let (server, counter) = serve();
        counter.turnstile.open();
        let proxy = Proxy::to(server.local_addr());
        let desk = DeskClient::connect(proxy.addr()).expect("it listens");
        proxy.to_client().lose(true);
        let call = fibra::spawn({
            let desk = desk.clone();
            move || desk.pass()
        });
        proxy.to_client().wait_for_lost(1);
        proxy.to_client().lose(false);
        proxy.cut();

        join(call).expect("the reply, once more");
        assert_eq!(counter.turnstile.entered(), 1);
        assert_eq!(desk.channel().stats().connections, 2);
    });
}

#[test]
fn while_it_runs() {
    on_one_worker(|| {
        let (server, counter) = serve();
        let proxy = Proxy::to(server.local_addr());
        let desk = DeskClient::connect(proxy.addr()).expect("it listens");
        let call = fibra::spawn({
            let desk = desk.clone();
            move || desk.pass()
        });
        counter.turnstile.wait_for(1);
        proxy.cut();
        // Connected, and the call sent: this one comes after it.
        assert_eq!(desk.echo("x".to_owned()).expect("the connection is back"), "x");

        counter.turnstile.open();
        join(call).expect("the run's reply");
        assert_eq!(counter.turnstile.entered(), 1);
    });
}
