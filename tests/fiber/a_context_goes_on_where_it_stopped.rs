use std::cell::RefCell;
use std::rc::Rc;

use fibra_fiber::{Context, Resumed, in_context, suspend};

use crate::support::stack;

#[test]
fn a_context_goes_on_where_it_stopped() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let inner = log.clone();
    let context = Context::new(stack(), move || {
        for step in 0..3 {
            assert!(in_context());
            inner.borrow_mut().push(step);
            suspend();
        }
    });
    assert!(!context.is_started());
    for resumed in 1..=3 {
        assert!(matches!(context.resume(), Resumed::Suspended));
        assert!(!in_context());
        assert_eq!(log.borrow().len(), resumed);
    }
    assert!(matches!(context.resume(), Resumed::Finished(Ok(()))));
    assert!(context.is_finished());
    assert_eq!(*log.borrow(), [0, 1, 2]);
}

#[test]
fn floating_point_and_callee_saved_state_survive_a_switch() {
    let context = Context::new(stack(), || {
        let mut sum = 0.5f64;
        for n in 1..=100 {
            let (before, product) = (sum, n * 7);
            suspend();
            assert_eq!(before.to_bits(), sum.to_bits());
            sum += f64::from(product);
        }
        assert_eq!(sum, 0.5 + 7.0 * 5050.0);
    });
    let mut noise = 1.0f64;
    while let Resumed::Suspended = context.resume() {
        noise = (noise * 1.1).sqrt();
    }
    assert!(noise > 0.0);
    assert!(context.is_finished());
}

#[test]
#[should_panic(expected = "outside a fiber")]
fn suspending_outside_a_context_panics() {
    suspend();
}

#[cfg(panic = "unwind")]
#[test]
fn resuming_a_finished_context_panics_and_harms_nobody() {
    let context = Context::new(stack(), || {
        let finished = Context::new(stack(), || ());
        let _ = finished.resume();
        let again = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| finished.resume()));
        assert!(again.is_err());
        // Still inside the outer context: suspending must find it.
        suspend();
    });
    assert!(matches!(context.resume(), Resumed::Suspended));
    assert!(matches!(context.resume(), Resumed::Finished(Ok(()))));
}
