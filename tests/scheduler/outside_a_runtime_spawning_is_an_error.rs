use std::io;

use fibra_scheduler::{Builder, driver, in_fiber, runtime, worker_index};

#[test]
fn outside_a_runtime_spawning_is_an_error() {
    let error = Builder::new().spawn(|| ()).map(|_| ()).expect_err("no runtime");
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    assert!(error.to_string().contains("fibra::run"), "it says what to do: {error}");
    assert!(!in_fiber());
    assert_eq!(worker_index(), None);
}

#[test]
fn a_fiber_without_a_stack_ends_with_that_error() {
    crate::run_on(1, || {
        let fiber = Builder::new().stack_size(usize::MAX / 2).spawn(|| ()).expect("spawned");
        let payload = fiber.join().expect_err("no such stack");
        assert!(payload.is::<io::Error>());
    });
}

#[test]
fn a_runtime_whose_first_fiber_has_no_stack_does_not_run() {
    let builder = runtime::Builder::new(driver::idle).workers(2).stack_size(usize::MAX / 2);
    assert_eq!(builder.run(|| ()).expect_err("no such stack").kind(), io::ErrorKind::OutOfMemory);
}
