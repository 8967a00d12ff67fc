use fibra_fiber::{Context, Resumed, StackPool, suspend};
use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::{sleep, spawn, yield_now};

/// A context on a stack of its own, made inside a fiber.
fn nested(f: impl FnOnce() + 'static) -> Context {
    Context::new(StackPool::new().take(64 << 10).expect("a stack"), f)
}

#[cfg(panic = "unwind")]
#[test]
fn parking_inside_panics_before_anything_is_touched() {
    crate::run_on(1, || {
        let fiber = spawn(|| {
            let waits: [fn(); 4] = [
                yield_now,
                || park::park(Reason::Parked),
                || assert!(sleep(std::time::Duration::from_secs(3600)).is_ok()),
                || park::on_first_park(&mut || unreachable!("no park"), || ()),
            ];
            for wait in waits {
                assert!(matches!(nested(wait).resume(), Resumed::Finished(Err(_))));
            }
            // The fiber itself is as it was.
            yield_now();
            7
        });
        assert_eq!(fiber.join().expect("no panic"), 7);
    });
}

#[test]
fn suspending_inside_leaves_only_the_nested_context() {
    crate::run_on(1, || {
        let context = nested(suspend);
        assert!(matches!(context.resume(), Resumed::Suspended));
        yield_now();
        assert!(matches!(context.resume(), Resumed::Finished(Ok(()))));
    });
}
