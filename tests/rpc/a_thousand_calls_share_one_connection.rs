//! A thousand calls are under way at once on one connection, and each gets its own reply.

use crate::support::{connect, join, on_two_workers, serve};

#[test]
fn calls_that_wait_and_calls_that_do_not() {
    on_two_workers(|| {
        let (server, counter) = serve();
        let proxy = connect(&server);
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
