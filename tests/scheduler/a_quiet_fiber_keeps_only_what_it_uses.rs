use std::process::Command;
use std::time::Duration;

use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::{counters, driver, runtime, sleep, spawn_local, yield_now};

const CHILD: &str = "FIBRA_TEST_TRIM";
const FIBERS: usize = 500;
const DEPTH: usize = 64 << 10;

/// Resident memory of this process in KiB.
fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc/self/status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

/// Uses much of the stack for a moment.
#[inline(never)]
fn go_deep() {
    let mut touched = [1u8; DEPTH];
    std::hint::black_box(&mut touched);
}

/// Fibers that go deep once and then wait, each with something on its stack that it looks at in the end.
fn park_after_going_deep(rounds: usize) -> Vec<fibra_scheduler::JoinHandle<usize>> {
    (0..FIBERS)
        .map(|n| {
            spawn_local(move || {
                let kept = std::hint::black_box([n; 64]);
                for _ in 0..rounds {
                    go_deep();
                    park::park(Reason::Parked);
                }
                kept.iter().sum::<usize>() / kept.len()
            })
        })
        .collect()
}

/// In a process of its own: other tests take memory, too.
#[test]
fn what_lies_below_a_fiber_that_waits_for_long_is_given_back() {
    if std::env::var_os(CHILD).is_some() {
        return trim_and_measure();
    }
    let name = "a_quiet_fiber_keeps_only_what_it_uses::what_lies_below_a_fiber_that_waits_for_long_is_given_back";
    let output = Command::new(std::env::current_exe().expect("own path"))
        .args([name, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("start the child");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn trim_and_measure() {
    let builder = runtime::Builder::new(driver::idle).workers(1).trim_after(Duration::from_millis(200));
    let run = || {
        let before = resident_kib();
        let fibers = park_after_going_deep(2);
        (0..3).for_each(|_| yield_now());
        let (during, deep) = (resident_kib(), FIBERS * DEPTH / 1024);
        // Unless the machine was so slow that trimming has begun already.
        if counters().trims == 0 {
            assert!(during - before > deep / 2, "{before} -> {during} KiB");
        }

        while counters().trims < FIBERS as u64 {
            sleep(Duration::from_millis(5)).expect("nobody cancels");
        }
        let after = resident_kib();
        assert!(after - before.min(after) < deep / 4, "{before} -> {during} -> {after} KiB");

        // They go on, deep again, and have lost nothing.
        for _ in 0..2 {
            fibers.iter().for_each(|fiber| fiber.unparker().unpark());
            (0..3).for_each(|_| yield_now());
        }
        for (n, fiber) in fibers.into_iter().enumerate() {
            assert_eq!(fiber.join().expect("no panic"), n);
        }
    };
    builder.run(run).expect("a runtime");
}

#[test]
fn a_fiber_is_trimmed_once_a_park_and_not_at_all_if_that_is_never() {
    let trims = |after: Duration| {
        let builder = runtime::Builder::new(driver::idle).workers(1).trim_after(after);
        let run = || {
            let fibers = park_after_going_deep(1);
            // Unless that is never, until all are trimmed; and then time for several passes more.
            while after != Duration::MAX && counters().trims < FIBERS as u64 {
                sleep(Duration::from_millis(5)).expect("nobody cancels");
            }
            sleep(Duration::from_millis(50)).expect("nobody cancels");
            let trims = counters().trims;
            fibers.iter().for_each(|fiber| fiber.unparker().unpark());
            fibers.into_iter().for_each(|fiber| drop(fiber.join()));
            trims
        };
        builder.run(run).expect("a runtime")
    };
    let once = trims(Duration::from_millis(10));
    // The main fiber waits, too, again and again.
    assert!((FIBERS as u64..FIBERS as u64 + 20).contains(&once), "{once}");
    assert_eq!(trims(Duration::MAX), 0);
}
