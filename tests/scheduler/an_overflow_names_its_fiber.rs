use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::{Arc, Barrier};

use fibra_scheduler::{Builder, spawn};

const CHILD: &str = "FIBRA_TEST_OVERFLOW";

fn many_frames() {
    fn recurse(depth: u64) -> u64 {
        let local = std::hint::black_box([depth; 16]);
        if depth == 0 { 0 } else { recurse(depth - 1) + local[3] }
    }
    std::hint::black_box(recurse(1 << 20));
}

fn one_frame_of_a_mebibyte() {
    let mut local = [1u8; 1 << 20];
    std::hint::black_box(&mut local);
}

/// Overflows in a fiber of worker `on` of two.
fn overflow_on(on: usize, overflow: fn()) {
    crate::run_on(2, || {
        let barrier = Arc::new(Barrier::new(2));
        let fibers = [(); 2].map(|()| {
            let barrier = barrier.clone();
            let fiber = Builder::new().name("deep").stack_size(64 << 10).spawn(move || {
                // Each worker is held here until the other has arrived, so both have one of the two.
                barrier.wait();
                if fibra_scheduler::worker_index() == Some(on) {
                    overflow();
                }
            });
            fiber.expect("a runtime")
        });
        // The sibling may end; the one that overflows takes the process with it.
        fibers.into_iter().for_each(|fiber| drop(fiber.join()));
    });
    println!("survived");
}

fn reports(name: &str, run: fn(), expected: &[&str]) {
    if std::env::var_os(CHILD).is_some() {
        return run();
    }
    let output = Command::new(std::env::current_exe().expect("own path"))
        .args([&format!("an_overflow_names_its_fiber::{name}"), "--exact", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("start the child");
    let stderr = String::from_utf8_lossy(&output.stderr);
    // Under `panic = "abort"` the harness runs the test in a further process, and reports the abort in its own way.
    let aborted = if cfg!(panic = "unwind") { output.status.signal() == Some(6) } else { !output.status.success() };
    assert!(aborted, "{output:?}");
    for part in expected {
        assert!(stderr.contains(part), "{part:?} is missing in: {stderr}");
    }
    assert!(!String::from_utf8_lossy(&output.stdout).contains("survived"));
}

const DEEP: &[&str] =
    &["'deep'", "an_overflow_names_its_fiber.rs:", "overflowed its stack of 64 KiB", "fibra::Builder::stack_size"];

#[test]
fn on_the_first_worker() {
    reports("on_the_first_worker", || overflow_on(0, many_frames), DEEP);
}

#[test]
fn on_the_second_worker() {
    reports("on_the_second_worker", || overflow_on(1, many_frames), DEEP);
}

#[test]
fn with_one_frame_that_leaps() {
    reports("with_one_frame_that_leaps", || overflow_on(0, one_frame_of_a_mebibyte), DEEP);
}

#[test]
fn in_the_first_fiber() {
    reports("in_the_first_fiber", || crate::run_on(1, many_frames), &["'main'", "overflowed its stack of 256 KiB"]);
}

#[test]
fn after_another_fiber_has_ended_on_that_stack() {
    fn run() {
        crate::run_on(1, || {
            spawn(|| ()).join().expect("no panic");
            spawn(many_frames).join().expect("no panic");
        });
    }
    reports("after_another_fiber_has_ended_on_that_stack", run, &["overflowed its stack of 256 KiB"]);
}

/// A plain thread's overflow is not ours: std's handler, which was there before, says so in its own words.
#[test]
fn a_plain_threads_overflow_is_still_stds_to_report() {
    fn run() {
        crate::run_on(1, || {
            drop(std::thread::Builder::new().name("plain".into()).spawn(many_frames).map(|t| t.join()))
        });
    }
    reports("a_plain_threads_overflow_is_still_stds_to_report", run, &["thread 'plain'", "has overflowed its stack"]);
}
