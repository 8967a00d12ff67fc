//! A server whose calls take long, without waiting, lets the other fibers of its worker run between them: after so long, not after so many.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fibra::rpc::Server;

use crate::support::raw::{self, REPLY, Raw};
use crate::support::{LOOPBACK, join, on_one_worker};

/// Calls that may begin before it is known that they take long, and in the turns that are under way by then.
const CALLS_MAX: usize = 16;

/// A call of that number.
fn call(xid: u64) -> Vec<u8> {
    raw::call(xid, Duration::from_secs(60), "slow.spin", &[0x91, 1])
}

/// How many calls ran, at most, between two turns of another fiber, when each of so many connections makes so many at once.
fn longest_run(builder: fibra::rpc::server::Builder, connections: usize, calls: usize) -> usize {
    longest_run_of(builder, connections, calls, (1..=calls as u64).flat_map(call).collect())
}

/// The same, where each of them sends this.
fn longest_run_of(builder: fibra::rpc::server::Builder, connections: usize, calls: usize, batch: Vec<u8>) -> usize {
    on_one_worker(|| {
        let ran = Arc::new(AtomicUsize::new(0));
        let handler = {
            let ran = Arc::clone(&ran);
            move |(_,): (u64,)| {
                let until = fibra::clock::now() + Duration::from_millis(1);
                while fibra::clock::now() < until {}
                ran.fetch_add(1, Ordering::Relaxed);
            }
        };
        let server =
            builder.method("slow.spin", handler).queue_delay_max(Duration::MAX).bind(LOOPBACK).expect("a port");
        let mut peers: Vec<_> = (0..connections).map(|_| Raw::connect(server.local_addr())).collect();
        let other = fibra::spawn({
            let ran = Arc::clone(&ran);
            move || {
                let (mut before, mut longest) = (0, 0);
                while before < connections * calls {
                    let now = ran.load(Ordering::Relaxed);
                    longest = longest.max(now - before);
                    before = now;
                    fibra::yield_now();
                }
                longest
            }
        });
        for peer in &mut peers {
            peer.send(&batch);
        }
        for peer in &mut peers {
            for xid in 1..=calls as u64 {
                assert_eq!(peer.receive(), Some((REPLY, xid, vec![0xc0])));
            }
        }
        join(other)
    })
}

#[test]
fn of_many_connections() {
    let longest = longest_run(Server::builder(), 100, 1);
    assert!(longest <= CALLS_MAX, "{longest} calls");
}

#[test]
fn of_one_connection() {
    let longest = longest_run(Server::builder(), 1, 100);
    assert!(longest <= CALLS_MAX, "{longest} calls");
}

#[test]
fn that_are_counted() {
    let longest = longest_run(Server::builder().metrics(), 4, 50);
    assert!(longest <= CALLS_MAX, "{longest} calls");
}

/// Each lets the next go as it ends.
#[test]
fn that_have_waited_in_a_lane() {
    let in_lane = |xid| {
        let gap = u16::from(xid > 1);
        raw::behind(raw::in_lane(call(xid), gap), u16::try_from(xid).expect("a few") - 1)
    };
    let longest = longest_run_of(Server::builder(), 1, 100, (2..=100).chain([1]).flat_map(in_lane).collect());
    assert!(longest <= CALLS_MAX, "{longest} calls");
}
