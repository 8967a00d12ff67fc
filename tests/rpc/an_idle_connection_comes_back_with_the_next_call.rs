//! A connection that nobody uses is closed after the idle timeout; the next call brings it and its session back.

use std::time::Duration;

use fibra::rpc::Channel;

use crate::support::{DeskClient, join, on_one_worker, serve, wait_until};

const SHORT: Duration = Duration::from_millis(20);

#[test]
fn and_not_before() {
    on_one_worker(|| {
        let (server, counter) = serve();
        let channel =
            Channel::builder().idle_timeout(Some(SHORT)).connect(server.local_addr()).expect("the server listens");
        let desk = DeskClient::new(channel);
        let call = fibra::spawn({
            let desk = desk.clone();
            move || desk.pass()
        });
        counter.turnstile.wait_for(1);
        fibra::sleep(SHORT * 5).expect("nothing cancels");
        assert_eq!(desk.channel().stats().connections, 1, "a call waits: it is used");
        counter.turnstile.open();
        join(call).expect("it passes");

        wait_until(|| server.connections() == 0 && !desk.channel().is_connected());
        assert_eq!(desk.withdraw(40).expect("on the next connection"), 60);
        assert_eq!(desk.channel().stats().connections, 2);
        // xid 2 of the same session: a new one could not acknowledge what the first had.
        assert_eq!(counter.turnstile.entered(), 1);
    });
}
