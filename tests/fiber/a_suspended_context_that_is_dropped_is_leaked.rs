use std::cell::Cell;
use std::rc::Rc;

use fibra_fiber::{Context, suspend};

use crate::support::stack;

/// Unwinding it would run destructors that may want to suspend again; see `fiber/src/context.rs`.
#[test]
fn a_suspended_context_that_is_dropped_is_leaked() {
    struct SetOnDrop(Rc<Cell<bool>>);
    impl Drop for SetOnDrop {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let dropped = Rc::new(Cell::new(false));

    let local = SetOnDrop(dropped.clone());
    let suspended = Context::new(stack(), move || {
        let _local = local;
        suspend();
    });
    let _ = suspended.resume();
    drop(suspended);
    assert!(!dropped.get(), "its locals are not dropped");

    let closure = SetOnDrop(dropped.clone());
    drop(Context::new(stack(), move || drop(closure)));
    assert!(dropped.get(), "one that never ran drops its closure");
}
