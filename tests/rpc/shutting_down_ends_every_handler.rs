//! Shutting a server down closes its connections, cancels its handlers and waits for them; dropping it does not wait.

use std::sync::mpsc;
use std::time::Duration;

use fibra::rpc::Server;

use crate::support::raw::{self, Raw};
use crate::support::{LOOPBACK, connect, join, on_one_worker, on_two_workers, serve, wait_until};

#[test]
fn handlers_that_wait_are_cancelled() {
    on_two_workers(|| {
        let (server, counter) = serve();
        let proxies: Vec<_> = (0..5).map(|_| connect(&server)).collect();
        let calls: Vec<_> = (0..50)
            .map(|n| {
                let proxy = proxies[n % 5].clone();
                fibra::spawn(move || proxy.within(Duration::from_secs(1)).wait_for_ever())
            })
            .collect();
        counter.turnstile.wait_for(50);
        server.shutdown();
        assert_eq!(server.connections(), 0);
        server.wait().expect("it was told to stop");
        for call in calls {
            join(call).expect_err("the server is gone");
        }
        server.shutdown();
        let _again = Server::builder().bind(server.local_addr()).expect("the address is free again");
    });
}

/// What it is cancelled for is no answer; also if it learns of that on its reader's stack, since it has never waited.
#[test]
fn one_that_ends_for_it_is_not_answered() {
    on_one_worker(|| {
        let (begins, has_begun) = mpsc::channel();
        let until_cancelled = move |()| {
            begins.send(()).expect("somebody listens");
            while fibra::cancel::check().is_ok() {
                std::hint::spin_loop();
            }
        };
        let server = Server::builder().method("desk.pass", until_cancelled).bind(LOOPBACK).expect("a free port");
        let mut client = Raw::connect(server.local_addr());
        // From outside: the handler does not let others run.
        let shutting_down = std::thread::spawn(move || {
            has_begun.recv().expect("it begins");
            server.shutdown();
        });
        client.send(&raw::call(1, Duration::from_secs(60), "desk.pass", &[0x90]));
        assert_eq!(client.receive(), None);
        fibra::blocking(|| shutting_down.join()).expect("there is a thread").expect("it does not panic");
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
        wait_until(|| proxy.within(Duration::from_millis(20)).add(1, 2).is_err());
        wait_until(|| crate::support::DeskClient::connect(addr).is_err());
    });
}
