//! What a small burst has touched of its stacks goes back to the system once its worker has slept for a while.

use std::hint::black_box;
use std::process::Command;
use std::time::Duration;

use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::{JoinHandle, clock, driver, runtime, sleep, spawn_local};

const CHILD: &str = "FIBRA_TEST_SLEEPING_WORKER";

/// Fewer than a worker keeps between two events.
const FIBERS: usize = 200;

const TOUCHED: usize = 64 << 10;

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc/self/status");
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("RssAnon");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

#[test]
fn once_it_is_clear_that_a_burst_is_over() {
    if std::env::var_os(CHILD).is_some() {
        return runtime::Builder::new(driver::idle).workers(1).run(measure).expect("a runtime");
    }
    let output = Command::new(std::env::current_exe().expect("own path"))
        .args(["a_sleeping_worker_keeps_few_stacks::once_it_is_clear_that_a_burst_is_over", "--exact", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("start the child");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn measure() {
    let before = resident_kib();
    let deep = || {
        black_box([1_u8; TOUCHED]);
        park::park(Reason::Parked);
    };
    let fibers: Vec<JoinHandle<()>> = (0..FIBERS).map(|_| spawn_local(deep)).collect();
    crate::until_parked(FIBERS);
    let touched = resident_kib() - before;
    assert!(touched >= FIBERS * (TOUCHED >> 10), "{touched} KiB");
    fibers.iter().for_each(|fiber| fiber.unparker().unpark());
    fibers.into_iter().for_each(|fiber| fiber.join().expect("no panic"));
    let kept = resident_kib() - before;
    assert!(kept > touched / 2, "{kept} KiB: the next burst may come at once");
    let limit = clock::now() + Duration::from_secs(20);
    while resident_kib().saturating_sub(before) > touched / 4 {
        assert!(clock::now() < limit, "{touched} KiB -> {} KiB", resident_kib() - before);
        // A worker with nothing to run sleeps.
        sleep(Duration::from_millis(200)).expect("nobody cancels");
    }
}
