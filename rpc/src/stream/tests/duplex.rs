//! Both streams of a call, and the fibers that wait for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::{cancel, clock, driver, runtime};

use crate::outbox::Outbox;
use crate::stream::inbound::Inbound;
use crate::stream::outbound::Outbound;
use crate::stream::{Carrier, Duplex, Gone, StreamError};

struct Nowhere(Outbox);

impl Carrier for Nowhere {
    fn outbox(&self) -> &Outbox {
        &self.0
    }

    fn write_soon(&self, _queued_bytes: usize) {}
}

fn carrier() -> Nowhere {
    Nowhere(Outbox::new(1_000))
}

fn duplex() -> Duplex {
    Duplex::new(1, 1_000, true, Some(Inbound::new(1_000, 1_000)), Some(Outbound::new(1_000)))
}

fn on_one_worker(f: impl FnOnce()) {
    runtime::Builder::new(driver::idle).workers(1).run(f).expect("the runtime starts");
}

/// The deadline passes, and an item and the end come, at one instant: in some order, and before or after the fiber runs that was cut.
fn race() -> bool {
    let at = clock::now() + Duration::from_secs(1);
    let duplex = Arc::new(duplex());
    let came = Arc::new(AtomicBool::new(false));
    let reads = fibra_scheduler::spawn({
        let (duplex, came) = (Arc::clone(&duplex), Arc::clone(&came));
        move || {
            let _cut = park::wait(Reason::Sleep, Some(at));
            duplex.received(b"item", false).expect("there is credit");
            duplex.close(Gone::Ended);
            came.store(true, Ordering::Relaxed);
        }
    });
    let (mut item, carrier) = (Vec::new(), carrier());
    let received = duplex.recv(&carrier, &mut item, Some(at));
    let came = came.load(Ordering::Relaxed);
    assert_eq!(received, if came { Ok(true) } else { Err(StreamError::TimedOut) });
    reads.join().expect("no panic");
    came
}

#[test]
fn what_comes_before_a_cut_fiber_runs_is_taken() {
    let run = |seed| runtime::Builder::new(driver::idle).seed(seed).run_traced(race).expect("no deadlock").0;
    let came = (0..64).filter(|&seed| run(seed)).count();
    assert!((1..64).contains(&came), "both orders occur, not {came} of 64 times the one");
}

#[test]
fn a_cut_without_anything_to_take_is_told() {
    on_one_worker(|| {
        let (duplex, mut item) = (duplex(), Vec::new());
        let now = clock::now();
        let received = cancel::with_deadline(now, || duplex.recv(&carrier(), &mut item, None));
        assert_eq!(received, Err(StreamError::TimedOut));
        assert_eq!(duplex.recv(&carrier(), &mut item, Some(now)), Err(StreamError::TimedOut));
    });
}

/// A stop may be said before a handler has run: whoever has its receiver drops that also if it cannot read the call's arguments.
#[test]
fn only_what_a_handler_does_says_that_it_has_run() {
    let stopped = duplex();
    stopped.peer_stopped().expect("there is a stream");
    assert!(!stopped.heard());
    let granted = duplex();
    granted.granted(256).expect("there is a stream");
    assert!(granted.heard());
    let received = duplex();
    received.received(b"item", false).expect("there is credit");
    assert!(received.heard());
}

/// A sender waits for room in the output, where there may never be any; meanwhile its call ends.
#[test]
fn who_waits_for_room_waits_no_longer_than_the_call() {
    let send = || {
        let (duplex, carrier) = (Arc::new(duplex()), carrier());
        carrier.0.append_and_wake(&mut vec![0; 2_000]).expect("it is empty");
        let ends = fibra_scheduler::spawn({
            let duplex = Arc::clone(&duplex);
            move || duplex.close(Gone::Ended)
        });
        let sent = duplex.send(&carrier, &mut vec![0; 100], None);
        ends.join().expect("no panic");
        sent
    };
    for seed in 0..16 {
        let run = runtime::Builder::new(driver::idle).seed(seed).run_traced(send);
        assert_eq!(run.expect("nobody waits for ever").0, Err(StreamError::CallEnded));
    }
}
