//! A drain is complete only once all that had come has been acted on, also where that takes a connection more than a turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fibra::clock;
use fibra::rpc::Server;
use fibra::rpc::server::Drained;

use crate::support::raw::{self, FAILURE, REPLY, Raw};
use crate::support::{LOOPBACK, join, on_one_worker};

/// So many that to refuse those which the operating system takes at once takes many turns.
const CALLS: u64 = 60_000;
/// Of the worker's time: a turn of each.
const EACH: Duration = Duration::from_millis(2);
/// Half of it is the grace, in which by far not all can run.
const TIMEOUT: Duration = Duration::from_secs(1);

fn work(is_slow: &AtomicBool) {
    let end = clock::now() + if is_slow.load(Ordering::SeqCst) { EACH } else { Duration::ZERO };
    while clock::now() < end {
        std::hint::spin_loop();
    }
}

#[test]
fn however_many_turns_that_takes() {
    on_one_worker(|| {
        let is_slow = Arc::new(AtomicBool::new(false));
        let work = {
            let is_slow = Arc::clone(&is_slow);
            move |()| work(&is_slow)
        };
        let server = Server::builder().method("desk.work", work).bind(LOOPBACK).expect("a free port");
        let mut client = Raw::connect(server.local_addr());
        // Outside of the session, whose window is smaller.
        let calls = (0..CALLS).flat_map(|n| {
            let mut call = raw::call((1 << 63) + n, Duration::from_secs(60), "desk.work", &[0x90]);
            call[5] = 2;
            call
        });
        client.send(&calls.collect::<Vec<_>>());
        is_slow.store(true, Ordering::SeqCst);
        let draining = fibra::spawn(move || server.drain(TIMEOUT));
        let (mut replies, mut refusals) = (0, 0);
        while let Some((kind, ..)) = client.receive() {
            replies += u64::from(kind == REPLY);
            refusals += u64::from(kind == FAILURE);
        }
        // Else there was too little time for that many.
        if join(draining) == Drained::Complete {
            assert_eq!(replies + refusals, CALLS, "{replies} replies, {refusals} refusals");
        }
        assert!(refusals > 0, "{replies} replies");
    });
}
