use fibra_fiber::{Context, Resumed, suspend};

use crate::support::stack;

#[test]
fn suspend_always_leaves_the_innermost_context() {
    let outer = Context::new(stack(), || {
        let inner = Context::new(stack(), || {
            suspend();
            suspend();
        });
        assert!(matches!(inner.resume(), Resumed::Suspended));
        suspend();
        assert!(matches!(inner.resume(), Resumed::Suspended));
        assert!(matches!(inner.resume(), Resumed::Finished(Ok(()))));
        suspend();
    });
    assert!(matches!(outer.resume(), Resumed::Suspended));
    assert!(matches!(outer.resume(), Resumed::Suspended));
    assert!(matches!(outer.resume(), Resumed::Finished(Ok(()))));
}
