use std::rc::Rc;
use std::sync::Arc;

use fibra_scheduler::park::Unparker;
use fibra_scheduler::runtime::{Builder, Runtime};
use fibra_scheduler::{Fiber, JoinHandle, driver};

fn is_send_and_sync<T: Send + Sync>() {}

/// Compiles or not: the test is that it does. What must not cross is shown in `what_crosses_threads_must_be_send`.
#[test]
fn handles_go_where_they_may() {
    is_send_and_sync::<Runtime>();
    is_send_and_sync::<Builder>();
    is_send_and_sync::<JoinHandle<String>>();
    is_send_and_sync::<Unparker>();
    is_send_and_sync::<Fiber>();
}

#[test]
fn a_runtime_is_shared_by_plain_threads() {
    let runtime = Arc::new(Builder::new(driver::idle).workers(2).start().expect("a runtime"));
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let runtime = runtime.clone();
            std::thread::spawn(move || runtime.spawn(move || *Rc::new(n)).expect("room").join().expect("no panic"))
        })
        .collect();
    let sum: i32 = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
    assert_eq!(sum, 6);
}
