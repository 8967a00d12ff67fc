//! Each test runs in a child process, whose log is its own.

use std::hint::black_box;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use fibra_scheduler::{Builder, driver, dump, runtime, sleep, yield_now};

const CHILD: &str = "FIBRA_TEST_HOG";

/// Runs `f` in a child process, with its log going to standard error, and returns that. The child's standard input ends when the log
/// contains `part`, or when the child does not write any more.
fn in_a_child(name: &str, part: &str, f: fn()) -> Option<String> {
    if std::env::var_os(CHILD).is_some() {
        tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).init();
        f();
        return None;
    }
    let mut child = Command::new(std::env::current_exe().expect("own path"))
        .args([&format!("a_hog_is_reported::{name}"), "--exact", "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start the child");
    let stdin = child.stdin.take();
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    let mut log = String::new();
    while !log.contains(part) && stderr.read_line(&mut log).expect("text") > 0 {}
    drop(stdin);
    stderr.read_to_string(&mut log).expect("text");
    assert!(child.wait().expect("the child").success(), "{log}");
    Some(log)
}

fn watched(workers: usize) -> runtime::Builder {
    runtime::Builder::new(driver::idle).workers(workers).watchdog(Duration::from_millis(20))
}

#[inline(never)]
fn computes_until(mut is_over: impl FnMut() -> bool) {
    while !is_over() {
        black_box((0..1000).map(black_box).sum::<u64>());
    }
}

#[inline(never)]
fn blocks_until_stdin_ends() {
    std::io::stdin().read_to_end(&mut Vec::new()).expect("until the end");
}

/// The thread's CPU time, of which the hog takes what makes it one, whatever else the machine does.
fn has_used_cpu(milliseconds: i128) -> impl FnMut() -> bool {
    let now = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        i128::from(time.tv_sec) * 1000 + i128::from(time.tv_nsec) / 1_000_000
    };
    let start = now();
    move || now() - start >= milliseconds
}

#[test]
fn a_loop_is_cpu_bound() {
    fn run() {
        static IS_REPORTED: AtomicBool = AtomicBool::new(false);
        thread::spawn(|| {
            blocks_until_stdin_ends();
            IS_REPORTED.store(true, Ordering::Relaxed);
        });
        let hogs = || {
            computes_until(|| IS_REPORTED.load(Ordering::Relaxed));
            computes_until(has_used_cpu(100));
        };
        let hog = || Builder::new().name("greedy").spawn(hogs).expect("a runtime").join().expect("no panic");
        watched(1).run(hog).expect("a runtime");
    }
    let Some(log) = in_a_child("a_loop_is_cpu_bound", "worker=0", run) else { return };
    for part in ["WARN", "greedy", "a_hog_is_reported.rs:", "CPU-bound", "computes_until"] {
        assert!(log.contains(part), "{part:?} is missing in {log}");
    }
    assert_eq!(log.matches("holds its worker").count(), 1, "once an episode: {log}");
}

#[cfg(panic = "unwind")]
#[test]
fn a_blocked_thread_is_in_a_system_call() {
    let run = || watched(2).run(blocks_until_stdin_ends).expect("a runtime");
    let Some(log) = in_a_child("a_blocked_thread_is_in_a_system_call", "worker=", run) else { return };
    for part in ["name=\"main\"", "blocked in a system call", "blocks_until_stdin_ends"] {
        assert!(log.contains(part), "{part:?} is missing in {log}");
    }
}

#[test]
fn fibers_that_switch_or_sleep_are_not_reported() {
    fn run() {
        let spin = || {
            let mut is_over = has_used_cpu(500);
            while !is_over() {
                yield_now();
            }
        };
        runtime::Builder::new(driver::idle)
            .workers(2)
            .watchdog(Duration::from_secs(1))
            .run(|| {
                spin();
                sleep(Duration::from_millis(1500)).expect("not cancelled");
                spin();
            })
            .expect("a runtime");
    }
    let Some(log) = in_a_child("fibers_that_switch_or_sleep_are_not_reported", "holds", run) else { return };
    assert!(!log.contains("holds its worker"), "{log}");
}

#[test]
fn without_a_watchdog_nothing_is_reported() {
    fn run() {
        runtime::Builder::new(driver::idle)
            .workers(1)
            .watchdog(None)
            .run(|| computes_until(has_used_cpu(300)))
            .expect("a runtime");
    }
    let Some(log) = in_a_child("without_a_watchdog_nothing_is_reported", "holds", run) else { return };
    assert!(!log.contains("holds its worker"), "{log}");
}

#[test]
fn a_dump_names_the_fiber_that_holds_a_worker() {
    let runtime = runtime::Builder::new(driver::idle).workers(1).start().expect("a runtime");
    let (sender, receiver) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let hog = runtime
        .spawn(move || {
            sender.send(()).expect("the receiver waits");
            computes_until(|| released.try_recv() == Err(mpsc::TryRecvError::Disconnected));
        })
        .expect("room");
    receiver.recv().expect("sent");
    let dump = runtime.dump();
    assert_eq!(dump.silent.len(), 1);
    let running = dump.silent[0].running.as_ref().expect("the hog");
    assert_eq!((running.id, running.state), (hog.id(), dump::State::Running));
    let text = dump.to_string();
    assert!(text.contains("worker 0 does not answer") && text.contains("computes_until"), "{text}");
    drop(release);
    hog.join().expect("no panic");
}
