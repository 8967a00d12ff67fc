use std::time::Duration;

use fibra_scheduler::park::{self, Reason, on_first_park};
use fibra_scheduler::{sleep, spawn_local, yield_now};

/// How often the hook fires while `f` runs.
fn fires(f: impl FnOnce()) -> u32 {
    let mut fired = 0;
    on_first_park(&mut || fired += 1, f);
    fired
}

#[test]
fn the_hook_fires_on_the_first_park_only() {
    crate::run_on(1, || {
        assert_eq!(fires(|| ()), 0);
        assert_eq!(fires(yield_now), 1);
        assert_eq!(fires(|| (0..3).for_each(|_| sleep(Duration::from_micros(10)).expect("nobody cancels"))), 1);
        assert_eq!(
            fires(|| {
                park::current().unpark();
                park::park(Reason::Parked);
            }),
            0,
            "a park that finds its token does not switch away"
        );
    });
}

#[cfg(panic = "unwind")]
#[test]
fn hooks_nest_and_end_with_their_call() {
    crate::run_on(1, || {
        let mut outer = 0;
        on_first_park(&mut || outer += 1, || {
            assert_eq!(fires(|| ()), 0);
            assert_eq!(fires(yield_now), 1);
            yield_now();
            assert_eq!(fires(yield_now), 1);
        });
        assert_eq!(outer, 1, "a switch inside the inner call is one inside the outer");
        yield_now();
        assert_eq!(outer, 1);
        let panicked =
            std::panic::catch_unwind(|| on_first_park(&mut || unreachable!("it has ended"), || panic!("out")));
        assert!(panicked.is_err());
        yield_now();
    });
}

#[test]
fn the_hook_may_spawn_and_what_it_spawned_runs_first() {
    crate::run_on(1, || {
        let mut ran = None;
        let mut hook = || ran = Some(spawn_local(|| 3));
        on_first_park(&mut hook, yield_now);
        let fiber = ran.expect("the hook fired");
        assert!(fiber.is_finished());
    });
}

#[test]
fn on_a_plain_thread_the_hook_never_fires() {
    assert_eq!(fires(yield_now), 0);
}
