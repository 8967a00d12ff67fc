//! A thousand calls are under way at once on one connection, and each gets its own reply.

use std::time::Duration;

use fibra::rpc::{Channel, Limits, Server};

use crate::support::{DeskClient, join, on_two_workers, serve_with};

#[test]
fn calls_that_wait_and_calls_that_do_not() {
    on_two_workers(|| {
        let mut limits = Limits::default();
        limits.window = 1000;
        let (server, counter) = serve_with(Server::builder().limits(limits).queue_delay_max(Duration::MAX));
        let proxy = DeskClient::new(Channel::connect_with(server.local_addr(), limits).expect("it listens"));
        let calls: Vec<_> = (0..1000_i64)
            .map(|n| {
                let proxy = proxy.clone();
                fibra::spawn(move || {
                    proxy.pass().expect("the turnstile opens");
                    proxy.add(n, n).expect("a sum")
                })
            })
            .collect();
        counter.turnstile.wait_for(1000);
        assert_eq!(proxy.channel().stats().in_flight, 1000);
        assert_eq!(server.connections(), 1);

        counter.turnstile.open();
        for (n, call) in (0..).zip(calls) {
            assert_eq!(join(call), n + n);
        }
    });
}
