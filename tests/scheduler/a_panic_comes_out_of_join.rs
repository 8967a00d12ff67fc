use fibra_scheduler::{spawn, yield_now};

#[cfg(panic = "unwind")]
#[test]
fn a_panic_comes_out_of_join_and_disturbs_nobody() {
    crate::run_on(1, || {
        let sibling = spawn(|| {
            (0..100).fold(0, |sum, n| {
                yield_now();
                sum + n
            })
        });
        let broken = spawn(|| {
            yield_now();
            panic!("broken");
        });
        let payload = broken.join().map(|()| "no panic").expect_err("it panicked");
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"broken"));
        assert_eq!(sibling.join().expect("undisturbed"), 4950);
    });
}

#[test]
#[should_panic(expected = "from the first fiber")]
fn a_panic_of_the_first_fiber_comes_out_of_run() {
    crate::run_on(1, || panic!("from the first fiber"));
}
