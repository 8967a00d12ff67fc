//! A server that counts tells Prometheus how long calls wait for their turn, and any tells how many connections do.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fibra::rpc::Server;

use crate::support::raw::{self, REPLY, Raw};
use crate::support::{LOOPBACK, on_one_worker};

const CALLS: usize = 20;

fn value(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.expect("it is told").parse().expect("a number")
}

#[test]
fn of_calls_and_of_connections() {
    on_one_worker(|| {
        let (serving, in_line) = (Arc::new(OnceLock::<Server>::new()), Arc::new(AtomicUsize::new(0)));
        let handler = {
            let (serving, in_line) = (Arc::clone(&serving), Arc::clone(&in_line));
            move |(_,): (u64,)| {
                let text = serving.get().expect("it is bound").metrics();
                in_line.fetch_max(value(&text, "fibra_rpc_waiting_connections") as usize, Ordering::Relaxed);
                let until = fibra::clock::now() + Duration::from_millis(1);
                while fibra::clock::now() < until {}
            }
        };
        let server = Server::builder().method("slow.spin", handler).metrics().bind(LOOPBACK).expect("a free port");
        let server = serving.get_or_init(|| server);
        let mut peers: Vec<_> = (0..CALLS).map(|_| Raw::connect(server.local_addr())).collect();
        for peer in &mut peers {
            peer.send(&raw::call(1, Duration::from_secs(60), "slow.spin", &[0x91, 1]));
        }
        for peer in &mut peers {
            assert_eq!(peer.receive(), Some((REPLY, 1, vec![0xc0])));
        }
        let text = server.metrics();
        assert_eq!(value(&text, "fibra_rpc_queue_seconds_count") as usize, CALLS);
        assert_eq!(value(&text, "fibra_rpc_queue_seconds_bucket{le=\"+Inf\"}") as usize, CALLS);
        // They came together, and each took a millisecond: the last has waited for nearly all.
        assert!(value(&text, "fibra_rpc_queue_seconds_sum") > 0.02, "{text}");
        assert!(in_line.load(Ordering::Relaxed) >= CALLS / 4, "{in_line:?}");
        assert_eq!(value(&text, "fibra_rpc_waiting_connections") as usize, 0);
        server.shutdown();
    });
}
