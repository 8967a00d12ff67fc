//! Whoever shuts a server down goes on when it is down, also if others do so at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fibra::rpc::Server;

use crate::support::{LOOPBACK, Turnstile, join, on_one_worker};

/// A server with a method that, once it is cancelled, takes its time to end; and whether it has.
fn serve(leaving: &Arc<Turnstile>) -> (Arc<Server>, Arc<Turnstile>, Arc<AtomicBool>) {
    let (entered, ended) = (Arc::new(Turnstile::default()), Arc::new(AtomicBool::new(false)));
    let handler = {
        let (leaving, entered, ended) = (Arc::clone(leaving), Arc::clone(&entered), Arc::clone(&ended));
        move |(_,): (u64,)| {
            entered.enter();
            let _ = fibra::sleep(std::time::Duration::from_secs(3600));
            fibra::cancel::shield(|| leaving.pass());
            ended.store(true, Ordering::SeqCst);
        }
    };
    let server = Server::builder().method("slow.leave", handler).bind(LOOPBACK).expect("a free port");
    (Arc::new(server), entered, ended)
}

#[test]
fn neither_before_the_last_handler_has_ended() {
    on_one_worker(|| {
        let leaving = Arc::new(Turnstile::default());
        let (server, entered, ended) = serve(&leaving);
        let proxy = fibra::rpc::client::Proxy::connect(server.local_addr()).expect("it listens");
        let call = fibra::spawn(move || proxy.call_by_name::<_, ()>("slow.leave", &(1,)));
        entered.wait_for(1);
        let shutting: Vec<_> = (0..3)
            .map(|_| {
                let (server, ended) = (Arc::clone(&server), Arc::clone(&ended));
                fibra::spawn(move || {
                    server.shutdown();
                    assert!(ended.load(Ordering::SeqCst), "the handler still runs");
                    assert_eq!(server.connections(), 0);
                })
            })
            .collect();
        leaving.wait_for(1);
        // All of them have got as far as they can.
        (0..100).for_each(|_| fibra::yield_now());
        leaving.open();
        shutting.into_iter().for_each(join);
        join(call).expect_err("the server is gone");
        server.shutdown();
    });
}

#[test]
fn on_threads_too() {
    let server = Arc::new(Server::builder().thread_per_connection().bind(LOOPBACK).expect("a free port"));
    let shutting: Vec<_> = (0..4)
        .map(|_| {
            let server = Arc::clone(&server);
            std::thread::spawn(move || server.shutdown())
        })
        .collect();
    for thread in shutting {
        thread.join().expect("it returns");
    }
    assert_eq!(server.connections(), 0);
}
