use std::panic::{AssertUnwindSafe, catch_unwind};

use fibra_fiber::{Context, Resumed, StackPool, in_context, suspend};

fn suspended(work: impl FnOnce() + 'static) -> Context {
    let context = Context::new(StackPool::new().take(64 << 10).expect("a stack"), work);
    assert!(matches!(context.resume(), Resumed::Suspended));
    context
}

#[test]
fn a_visitor_runs_on_the_contexts_stack_and_the_context_goes_on_where_it_stopped() {
    let here = 0u8;
    let context = suspended(|| {
        let local = [7u8; 100];
        suspend();
        assert_eq!(std::hint::black_box(local), [7; 100]);
    });
    let used = context.stack_used();
    for _ in 0..3 {
        let address =
            context.visit(|| (&raw const *std::hint::black_box(&1u8)).addr().wrapping_add(used)).expect("suspended");
        assert_ne!(address, (&raw const here).addr());
        assert_eq!(context.stack_used(), used);
    }
    assert!((100..8192).contains(&used), "{used}");
    assert!(context.stack_room() <= (64 << 10) - used);
    assert!(matches!(context.resume(), Resumed::Finished(Ok(()))));
    assert_eq!(context.visit(|| ()), None, "finished");
}

#[cfg(panic = "unwind")]
#[test]
fn a_visitor_cannot_suspend() {
    let context = suspended(suspend);
    assert!(!context.visit(in_context).expect("suspended"));
    catch_unwind(AssertUnwindSafe(|| context.visit(suspend))).expect_err("refused");
    assert!(matches!(context.resume(), Resumed::Finished(Ok(()))));
}

#[cfg(panic = "unwind")]
#[test]
fn a_visitors_panic_comes_out_of_the_visit() {
    let context = suspended(suspend);
    let payload = catch_unwind(AssertUnwindSafe(|| context.visit(|| std::panic::panic_any(42)))).expect_err("a panic");
    assert_eq!(payload.downcast_ref(), Some(&42));
    assert!(matches!(context.resume(), Resumed::Finished(Ok(()))), "the context has not noticed");
}
