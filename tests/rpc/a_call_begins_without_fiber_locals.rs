//! A handler's values of `fiber_local!` are its call's: the next one begins without them, though it runs on the same fiber.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fibra::fiber_local;
use fibra::rpc::Server;

use crate::support::raw::{self, REPLY, Raw};
use crate::support::{LOOPBACK, on_one_worker};

static DROPPED: AtomicU64 = AtomicU64::new(0);

struct Mine(Cell<u64>);

impl Drop for Mine {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Ordering::SeqCst);
    }
}

fiber_local! {
    static COUNT: Mine = Mine(Cell::new(0));
}

fn count(parks: u64) -> u64 {
    if parks == 1 {
        fibra::yield_now();
    }
    COUNT.with(|count| {
        count.0.set(count.0.get() + 1);
        count.0.get()
    })
}

#[test]
fn whether_handlers_park_or_not() {
    let threads = Server::builder().thread_per_connection().method("locals.count", |(parks,): (u64,)| count(parks));
    let fibers = Server::builder().method("locals.count", |(parks,): (u64,)| count(parks));
    for builder in [threads, fibers] {
        DROPPED.store(0, Ordering::SeqCst);
        on_one_worker(|| {
            let server = builder.bind(LOOPBACK).expect("a free port");
            let mut raw = Raw::connect(server.local_addr());
            let call = |xid: u64| {
                let parks = u8::from(xid.is_multiple_of(3));
                raw::call(xid, Duration::from_secs(10), "locals.count", &[0x91, parks])
            };
            raw.send(&(1..=9).flat_map(call).collect::<Vec<_>>());
            let mut answers: Vec<_> = (0..9).map(|_| raw.receive().expect("an answer")).collect();
            answers.sort();
            let expected: Vec<_> = (1..=9).map(|xid| (REPLY, xid, vec![1])).collect();
            assert_eq!(answers, expected);
            assert_eq!(DROPPED.load(Ordering::SeqCst), 9, "each before its answer");
        });
    }
}
