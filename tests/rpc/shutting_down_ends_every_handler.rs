//! Shutting a server down closes its connections, cancels its handlers and waits for them; dropping it does not wait.

use crate::support::{connect, join, on_one_worker, on_two_workers, serve, wait_until};

#[test]
fn handlers_that_wait_are_cancelled() {
    on_two_workers(|| {
        let (server, counter) = serve();
        let proxies: Vec<_> = (0..5).map(|_| connect(&server)).collect();
        let calls: Vec<_> = (0..50)
            .map(|n| {
                let proxy = proxies[n % 5].clone();
                fibra::spawn(move || proxy.within(std::time::Duration::from_secs(1)).wait_for_ever())
            })
            .collect();
        counter.turnstile.wait_for(50);
        // By the time that another call of its connection is answered, whoever has entered waits.
        proxies.iter().for_each(|proxy| assert_eq!(proxy.add(1, 2).expect("a sum"), 3));
        server.shutdown();
        assert_eq!(server.connections(), 0);
        server.wait().expect("it was told to stop");
        for call in calls {
            join(call).expect_err("the server is gone");
        }
        server.shutdown();
        fibra::rpc::Server::builder().bind(server.local_addr()).expect("the address is free again");
    });
}

#[test]
fn whoever_waits_for_the_server_is_told() {
    on_one_worker(|| {
        let server = std::sync::Arc::new(serve().0);
        let waiting = fibra::spawn({
            let server = server.clone();
            move || server.wait()
        });
        fibra::yield_now();
        server.shutdown();
        join(waiting).expect("it was told to stop");
    });
}

#[test]
fn a_dropped_server_takes_no_more_connections() {
    on_one_worker(|| {
        let (server, _) = serve();
        let (addr, proxy) = (server.local_addr(), connect(&server));
        drop(server);
        wait_until(|| proxy.within(std::time::Duration::from_millis(20)).add(1, 2).is_err());
        wait_until(|| crate::support::DeskClient::connect(addr).is_err());
    });
}
