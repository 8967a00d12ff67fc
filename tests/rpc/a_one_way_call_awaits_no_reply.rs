//! A `maybe` method returns to its caller while its handler has yet to end, and sends nothing back.

use crate::support::{connect, on_one_worker, serve, wait_until};

#[test]
fn the_caller_does_not_wait_for_the_handler() {
    on_one_worker(|| {
        let (server, counter) = serve();
        let proxy = connect(&server);
        proxy.pass_unseen().expect("queued");
        assert_eq!(proxy.channel().stats().in_flight, 0);
        counter.turnstile.wait_for(1);
        counter.turnstile.open();
        assert_eq!(proxy.add(3, 5).expect("a sum"), 8);
        assert_eq!(proxy.channel().stats().late_replies, 0);
    });
}

#[test]
fn what_was_sent_before_the_last_proxy_went_arrives() {
    on_one_worker(|| {
        let (server, counter) = serve();
        let proxy = connect(&server);
        for _ in 0..3 {
            proxy.pass_unseen().expect("queued");
        }
        drop(proxy);
        counter.turnstile.wait_for(3);
        counter.turnstile.open();
        wait_until(|| server.connections() == 0);
    });
}
