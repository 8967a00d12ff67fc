//! A server that begins to drain, or shuts down, tells its connections a few at a time: other fibers of the worker run meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fibra::rpc::Server;
use fibra::rpc::limits::LOOK_CONNECTIONS_MAX;
use rustix::net::{RecvFlags, recv};

use crate::support::raw::Raw;
use crate::support::{join, on_one_worker, serve};

const CONNECTIONS: usize = 5 * LOOK_CONNECTIONS_MAX;

/// Whether something has come for it, or it has been closed. Asks the kernel: events come later.
fn is_told(peer: &Raw) -> bool {
    recv(&peer.stream, &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT).is_ok()
}

/// How many were told at most between two turns of another fiber.
fn told_at_once(how: impl FnOnce(&Server) + Send + 'static) -> usize {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut peers: Vec<_> = (0..CONNECTIONS).map(|_| Raw::connect(server.local_addr())).collect();
        let is_over = Arc::new(AtomicBool::new(false));
        let going = fibra::spawn({
            let is_over = Arc::clone(&is_over);
            move || {
                how(&server);
                is_over.store(true, Ordering::SeqCst);
            }
        });
        let mut longest = 0;
        while !peers.is_empty() {
            assert!(!is_over.load(Ordering::SeqCst) || peers.iter().all(is_told), "all are told before it is over");
            let before = peers.len();
            peers.retain(|peer| !is_told(peer));
            longest = longest.max(before - peers.len());
            fibra::yield_now();
        }
        join(going);
        longest
    })
}

#[test]
fn as_it_begins() {
    let longest = told_at_once(|server| {
        server.drain(Duration::from_secs(2));
    });
    assert!(longest <= 2 * LOOK_CONNECTIONS_MAX, "{longest} at once");
}

#[test]
fn as_it_shuts_down() {
    let longest = told_at_once(Server::shutdown);
    assert!(longest <= 2 * LOOK_CONNECTIONS_MAX, "{longest} at once");
}
