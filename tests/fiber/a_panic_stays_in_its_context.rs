use fibra_fiber::{Context, Resumed, StackPool, suspend};

use crate::support::stack;

#[test]
fn a_panic_comes_out_as_its_payload() {
    let context = Context::new(stack(), || {
        suspend();
        panic!("number {}", std::hint::black_box(7));
    });
    assert!(matches!(context.resume(), Resumed::Suspended));
    let Resumed::Finished(Err(payload)) = context.resume() else { panic!("it panicked") };
    assert_eq!(payload.downcast_ref::<String>().map(String::as_str), Some("number 7"));
}

#[test]
fn the_stack_of_a_panicked_context_is_as_good_as_new() {
    let mut pool = StackPool::new();
    for round in 0..100 {
        let context = Context::new(pool.take(64 << 10).expect("a stack"), move || {
            if round % 2 == 0 {
                std::panic::resume_unwind(Box::new(round));
            }
        });
        match context.resume() {
            Resumed::Finished(Err(payload)) => assert_eq!(payload.downcast_ref::<i32>(), Some(&round)),
            Resumed::Finished(Ok(())) => assert_eq!(round % 2, 1),
            Resumed::Suspended => unreachable!("it never suspends"),
        }
        pool.give(context.into_stack());
    }
    assert_eq!(pool.idle(), 1);
}

#[test]
fn a_destructor_may_suspend_while_its_context_unwinds() {
    struct Parks;
    impl Drop for Parks {
        fn drop(&mut self) {
            suspend();
        }
    }
    let unwinding = Context::new(stack(), || {
        let _parks = Parks;
        std::panic::resume_unwind(Box::new("unwinding"));
    });
    assert!(matches!(unwinding.resume(), Resumed::Suspended));
    // In the middle of that unwinding, a sibling panics and is caught as usual.
    let sibling = Context::new(stack(), || std::panic::resume_unwind(Box::new("sibling")));
    assert!(matches!(sibling.resume(), Resumed::Finished(Err(_))));
    let Resumed::Finished(Err(payload)) = unwinding.resume() else { panic!("it goes on unwinding") };
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"unwinding"));
}
