use std::io;

use fibra_scheduler::{driver, runtime, spawn};

#[test]
#[should_panic(expected = "runtimes do not nest")]
fn running_inside_a_fiber_panics() {
    crate::run_on(1, || crate::run_on(1, || ()));
}

#[test]
fn several_runtimes_live_side_by_side() {
    let runtimes: Vec<_> =
        (0..4).map(|_| runtime::Builder::new(driver::idle).workers(2).start().expect("a runtime")).collect();
    let fibers: Vec<_> = runtimes.iter().map(|runtime| runtime.spawn(|| spawn(|| 1).join()).expect("room")).collect();
    let sum: i32 = fibers.into_iter().map(|fiber| fiber.join().expect("no panic").expect("no panic")).sum();
    assert_eq!(sum, 4);
}

#[test]
fn one_after_another_on_the_same_thread() {
    for round in 0..20 {
        assert_eq!(crate::run_on(2, || spawn(move || round).join().expect("no panic")), round);
    }
}

#[test]
fn a_driver_that_cannot_be_made_is_an_error() {
    let refuse_second = |worker| match worker {
        1 => Err(io::Error::other("no descriptor left")),
        _ => driver::idle(worker),
    };
    let builder = runtime::Builder::new(refuse_second).workers(3);
    assert_eq!(builder.run(|| ()).expect_err("refused").to_string(), "no descriptor left");
    let builder = runtime::Builder::new(refuse_second).workers(3);
    assert!(builder.start().is_err());
}

#[test]
fn the_first_fiber_may_borrow_and_return_what_is_not_send() {
    let mut log = Vec::new();
    let result = crate::run_on(2, || {
        log.push(1);
        std::rc::Rc::new(log.len())
    });
    assert_eq!((*result, log), (1, vec![1]));
}
