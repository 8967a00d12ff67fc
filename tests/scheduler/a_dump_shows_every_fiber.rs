use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use fibra_scheduler::dump::State;
use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::{Builder, driver, dump, runtime, sleep, spawn, spawn_local, yield_now};

const FOREVER: Duration = Duration::from_secs(1 << 40);

#[inline(never)]
fn waits_deep_inside(locals: usize) {
    let local = black_box([1u8; 4096]);
    match locals {
        0 => drop(sleep(FOREVER)),
        _ => waits_deep_inside(locals - 1),
    }
    black_box(local);
}

#[test]
fn a_thousand_parked_fibers_with_reason_spawn_site_and_backtrace() {
    const FIBERS: usize = 1000;
    crate::run_on(1, || {
        let line = line!() + 1;
        let fibers: Vec<_> = (0..FIBERS).map(|_| spawn(|| waits_deep_inside(1))).collect();
        crate::until_parked(FIBERS);
        let dump = dump();
        let text = dump.to_string();
        assert_eq!(text.matches("waits_deep_inside").count(), 2 * FIBERS, "once for each call on each stack");
        for fiber in &fibers {
            let dumped = dump.fiber(fiber.id()).expect("it is listed");
            assert_eq!(dumped.reason(), Some(Reason::Sleep));
            assert!(dumped.spawned_at.file().ends_with("a_dump_shows_every_fiber.rs"));
            assert_eq!(dumped.spawned_at.line(), line);
            let used = dumped.stack_used.expect("it has a stack");
            // Two frames of 4 KiB, which AddressSanitizer puts elsewhere.
            assert!((if cfg!(feature = "sanitizer") { 1024 } else { 8192 }..65536).contains(&used), "{used}");
        }
        fibers.iter().for_each(|fiber| fiber.cancel());
    });
}

#[test]
fn a_backtrace_ends_at_the_programs_own_functions() {
    crate::run_on(1, || {
        let fiber = spawn(|| waits_deep_inside(0));
        yield_now();
        let dump = dump();
        let frames = dump.fiber(fiber.id()).expect("listed").backtrace.frames();
        let names: Vec<&str> = frames.iter().filter_map(|frame| frame.name.as_deref()).collect();
        assert_eq!(names[0], "fibra_scheduler::time::sleep", "what it has called to wait: {names:#?}");
        assert!(names[1].ends_with("waits_deep_inside"), "{names:#?}");
        assert!(names.last().expect("frames").contains("a_dump_shows_every_fiber"), "the closure: {names:#?}");
        fiber.cancel();
    });
}

#[test]
fn what_runs_what_is_ready_and_what_has_not_started() {
    crate::run_on(1, || {
        let ready = spawn(|| (0..1000).for_each(|_| yield_now()));
        yield_now();
        // A worker looks outside every 61 switches, so it has not come to the last of these when it answers.
        let line = line!() + 1;
        let unstarted: Vec<_> = (0..1000).map(|_| [spawn(|| ()), spawn_local(|| ())]).collect();
        let named = Builder::new().name("at the end").spawn_local(|| ()).expect("a runtime");
        let dump = dump();
        let found = |id| dump.fiber(id).expect("listed");
        assert_eq!(found(fibra_scheduler::current().expect("a fiber").id()).state, State::Running);
        assert_eq!(found(ready.id()).state, State::Ready);
        for fiber in &unstarted[999] {
            assert_eq!((found(fiber.id()).state, found(fiber.id()).spawned_at.line()), (State::NotStarted, line));
        }
        assert_eq!(found(named.id()).name.as_deref(), Some("at the end"));
        assert_eq!(dump.deadlocks(), Vec::<Vec<_>>::new());
    });
}

#[test]
fn being_dumped_wakes_nobody_and_takes_no_token() {
    crate::run_on(1, || {
        static PASSED: AtomicBool = AtomicBool::new(false);
        let parked = spawn(|| {
            park::park(Reason::Parked);
            PASSED.store(true, Ordering::Relaxed);
        });
        yield_now();
        (0..3).for_each(|_| drop(dump()));
        assert!(!PASSED.load(Ordering::Relaxed));
        // Woken, and still in a queue, it is dumped once more: the token stays.
        parked.unparker().unpark();
        drop(dump());
        parked.join().expect("no panic");
    });
}

#[test]
fn fibers_of_every_worker_are_listed() {
    crate::run_on(2, || {
        let (sender, receiver) = mpsc::channel();
        let fibers: Vec<_> = (0..100)
            .map(|_| {
                let sender = sender.clone();
                spawn(move || {
                    sender.send(()).expect("the receiver waits");
                    sleep(FOREVER)
                })
            })
            .collect();
        // All have started: one that has not may be on its way to another worker, and then no worker's to list.
        let mut started = 0;
        while started < fibers.len() {
            started += receiver.try_iter().count();
            yield_now();
        }
        let dump = dump();
        assert!(dump.silent.is_empty());
        for fiber in &fibers {
            assert!(dump.fiber(fiber.id()).is_some());
        }
        fibers.iter().for_each(|fiber| fiber.cancel());
    });
}

#[test]
fn a_plain_thread_asks_the_runtime() {
    let runtime = runtime::Builder::new(driver::idle).workers(2).start().expect("a runtime");
    let (sender, receiver) = mpsc::channel();
    let fiber = runtime
        .spawn(move || {
            sender.send(()).expect("the receiver waits");
            sleep(FOREVER)
        })
        .expect("room");
    receiver.recv().expect("sent");
    let dump = runtime.dump();
    assert!(dump.silent.is_empty(), "{:?}", dump.silent);
    assert_ne!(dump.fiber(fiber.id()).expect("listed").state, State::NotStarted);
    fiber.cancel();
}

#[test]
fn a_stack_that_is_nearly_full_is_left_alone() {
    crate::run_on(1, || {
        let fiber = Builder::new().stack_size(16 << 10).spawn(|| sleep(FOREVER)).expect("a runtime");
        yield_now();
        let dump = dump();
        let dumped = dump.fiber(fiber.id()).expect("listed");
        assert!(dumped.to_string().contains("no backtrace: too little of its stack is left"), "{dumped}");
        fiber.cancel();
    });
}

#[test]
fn a_fiber_that_holds_its_worker_is_reported_as_silent() {
    let runtime = runtime::Builder::new(driver::idle).workers(1).start().expect("a runtime");
    let (sender, receiver) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let hog = runtime
        .spawn(move || {
            sender.send(()).expect("the receiver waits");
            // Blocks the worker's thread, which is what one must not do.
            let _ = released.recv();
        })
        .expect("room");
    receiver.recv().expect("sent");
    let dump = runtime.dump();
    assert_eq!(dump.silent.len(), 1);
    assert!(dump.to_string().contains("worker 0 does not answer"));
    drop(release);
    hog.join().expect("no panic");
}
