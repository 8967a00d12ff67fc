#![cfg(target_os = "linux")]

use fibra_scheduler::{driver, runtime};
use rustix::thread::{CpuSet, sched_getaffinity};

fn cpus() -> CpuSet {
    sched_getaffinity(None).expect("this thread's CPUs")
}

#[test]
fn pinned_workers_stay_on_their_cpus() {
    let before = cpus();
    let builder = runtime::Builder::new(driver::idle).workers(1).pin_workers(true);
    assert_eq!(builder.run(|| cpus().count()).expect("a runtime"), 1);
    assert_eq!(cpus(), before, "the calling thread has its CPUs back");

    let runtime = runtime::Builder::new(driver::idle).workers(3).pin_workers(true).start().expect("a runtime");
    for _ in 0..10 {
        assert_eq!(runtime.spawn(|| cpus().count()).expect("room").join().expect("no panic"), 1);
    }
    assert_eq!(crate::run_on(1, cpus), before, "by default they go wherever they may");
}
