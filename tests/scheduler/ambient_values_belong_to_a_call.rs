//! An ambient value holds for a call and all below it on its fiber, parks included; not for its siblings, not for what it spawns, and
//! not a moment longer.

use fibra::ambient;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Tenant(u32);

struct Other(#[expect(dead_code)] u32);

fn tenant() -> Option<u32> {
    ambient::get(|tenant: Option<&Tenant>| tenant.map(|tenant| tenant.0))
}

#[test]
fn the_innermost_of_its_type_is_found() {
    fibra::run(|| {
        let found = ambient::with(&Tenant(1), || {
            let inner = ambient::with(&Tenant(2), || ambient::with(&Other(3), tenant));
            (inner, tenant())
        });
        assert_eq!((found, tenant()), ((Some(2), Some(1)), None));
    });
}

#[test]
fn fibers_that_take_turns_have_each_their_own() {
    fibra::runtime::builder()
        .workers(1)
        .run(|| {
            let see = |number| {
                fibra::spawn(move || {
                    assert_eq!(tenant(), None);
                    ambient::with(&Tenant(number), || {
                        (0..100).all(|_| {
                            fibra::yield_now();
                            tenant() == Some(number)
                        })
                    })
                })
            };
            let fibers: Vec<_> = (0..3).map(see).collect();
            assert!(fibers.into_iter().all(|fiber| fiber.join().expect("no panic")));
        })
        .expect("a runtime");
}

#[test]
fn a_spawned_fiber_has_none() {
    fibra::run(|| {
        let found = ambient::with(&Tenant(1), || fibra::spawn(tenant).join().expect("no panic"));
        assert_eq!(found, None);
    });
}

#[test]
fn plain_threads_have_their_own() {
    assert_eq!(
        ambient::with(&Tenant(1), || (tenant(), std::thread::spawn(tenant).join().expect("no panic"))),
        (Some(1), None)
    );
    assert_eq!(tenant(), None);
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_takes_it_back() {
    fibra::run(|| {
        let panicked = std::panic::catch_unwind(|| ambient::with(&Tenant(1), || panic!("as asked")));
        assert!(panicked.is_err());
        assert_eq!(tenant(), None);
    });
}

/// A context may be left in the middle of a call, and outlive what is ambient below it.
#[test]
fn within_a_context_of_ones_own_there_is_none() {
    use fibra_fiber::{Context, StackPool, suspend};
    fn nothing_is_found() {
        let stack = StackPool::new().take(64 << 10).expect("memory");
        let context = Context::new(stack, || {
            assert_eq!(tenant(), None);
            suspend();
            assert_eq!(tenant(), None);
        });
        ambient::with(&Tenant(1), || {
            let _ = context.resume();
        });
        let _ = context.resume();
        assert!(context.is_finished());
    }
    nothing_is_found();
    fibra::run(nothing_is_found);
}
