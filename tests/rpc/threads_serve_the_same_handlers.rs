//! The same service on a thread per connection, with or without a runtime around.

use fibra::rpc::Server;

use crate::support::{connect, join, on_one_worker, serve_with};

#[test]
fn calls_of_several_connections_run_at_once() {
    let (server, counter) = serve_with(Server::builder().thread_per_connection());
    on_one_worker(|| {
        let calls: Vec<_> = (0..4)
            .map(|_| {
                let proxy = connect(&server);
                fibra::spawn(move || {
                    proxy.pass().expect("the turnstile opens");
                    proxy.add(3, 5).expect("a sum")
                })
            })
            .collect();
        counter.turnstile.wait_for(4);
        assert_eq!(server.connections(), 4);
        counter.turnstile.open();
        for call in calls {
            assert_eq!(join(call), 8);
        }
    });
    server.shutdown();
    assert_eq!(server.connections(), 0);
}

#[test]
fn shutting_down_wakes_the_accept_loop() {
    let (server, _) = serve_with(Server::builder().thread_per_connection());
    server.shutdown();
    server.wait().expect("it was told to stop");
}
