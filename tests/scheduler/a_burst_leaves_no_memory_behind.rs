use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use fibra_scheduler::park::{self, Reason, Unparker};
use fibra_scheduler::{JoinHandle, clock, counters, driver, runtime, sleep, spawn, spawn_local, yield_now};

const CHILD: &str = "FIBRA_TEST_BURST";
const FIBERS: usize = 30_000;

/// Resident memory of this process in KiB.
fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc/self/status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

/// Runs `measure` in a process of its own: other tests take memory, too.
fn alone(name: &str, measure: fn()) {
    if std::env::var_os(CHILD).is_some() {
        return measure();
    }
    let output = Command::new(std::env::current_exe().expect("own path"))
        .args([&format!("a_burst_leaves_no_memory_behind::{name}"), "--exact", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("start the child");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Waits until what the burst took has been given back, but for what the workers keep for the next one: some hundreds of stacks. A
/// control block left over for each fiber would be more than is allowed.
fn until_given_back(before: usize, during: usize) {
    assert!(during - before > FIBERS * 4, "{before} -> {during} KiB: a page for each");
    let limit = clock::now() + Duration::from_secs(20);
    while resident_kib().saturating_sub(before) > FIBERS / 5 {
        assert!(clock::now() < limit, "{before} -> {during} -> {} KiB", resident_kib());
        // Workers give back when they have nothing to run.
        sleep(Duration::from_millis(1)).expect("nobody cancels");
    }
}

#[test]
fn fibers_that_were_joined_leave_no_memory_behind() {
    alone("fibers_that_were_joined_leave_no_memory_behind", || {
        runtime::Builder::new(driver::idle)
            .workers(1)
            .run(|| {
                let before = resident_kib();
                let fibers: Vec<JoinHandle<()>> =
                    (0..FIBERS).map(|_| spawn_local(|| park::park(Reason::Parked))).collect();
                crate::until_parked(FIBERS);
                let during = resident_kib();
                fibers.iter().for_each(|fiber| fiber.unparker().unpark());
                fibers.into_iter().for_each(|fiber| fiber.join().expect("no panic"));
                until_given_back(before, during);
            })
            .expect("a runtime");
    });
}

#[test]
fn fibers_that_other_threads_have_spawned_and_joined_leave_no_memory_behind() {
    alone("fibers_that_other_threads_have_spawned_and_joined_leave_no_memory_behind", || {
        let runtime = runtime::Builder::new(driver::idle).workers(2).start().expect("a runtime");
        let before = resident_kib();
        let fibers: Vec<JoinHandle<()>> =
            (0..FIBERS).map(|_| runtime.spawn(|| park::park(Reason::Parked)).expect("room")).collect();
        while runtime.counters().parks < FIBERS as u64 {
            thread::yield_now();
        }
        let during = resident_kib();
        fibers.iter().for_each(|fiber| fiber.unparker().unpark());
        // Once all have ended the workers sleep; that this thread lets go of the last of the fibers then is what matters here.
        while !fibers.iter().all(JoinHandle::is_finished) {
            thread::yield_now();
        }
        drop(fibers);
        until_given_back(before, during);
    });
}

#[test]
fn fibers_that_another_worker_has_ended_leave_no_memory_behind() {
    alone("fibers_that_another_worker_has_ended_leave_no_memory_behind", || {
        crate::run_on(2, || {
            let before = resident_kib();
            let ended = Arc::new(AtomicUsize::new(0));
            let fibers: Vec<Unparker> = (0..FIBERS)
                .map(|_| {
                    let ended = ended.clone();
                    let wait = move || {
                        park::park(Reason::Parked);
                        ended.fetch_add(1, Ordering::Relaxed);
                    };
                    spawn(wait).unparker()
                })
                .collect();
            while counters().parks < FIBERS as u64 {
                yield_now();
            }
            let during = resident_kib();
            fibers.into_iter().for_each(|fiber| fiber.unpark());
            while ended.load(Ordering::Relaxed) < FIBERS {
                yield_now();
            }
            until_given_back(before, during);
        });
    });
}
