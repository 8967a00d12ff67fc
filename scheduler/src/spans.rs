//! The [`tracing`] spans that a fiber is in: left when it switches away, entered again when it goes on.
//!
//! A subscriber keeps the stack of entered spans by thread. Fibers share one, so without this what one fiber enters would be around the
//! events of all that run meanwhile, and it would be left in the wrong order.
//!
//! ```text
//!   fiber a   enter A ─ enter B ─ parks: leaves B, A           resumes: enters A, B ─ leaves B ─ leaves A
//!   fiber b                        enter C ─ parks: leaves C    ···
//! ```
//!
//! Done by whoever parks or yields, on its own stack, where the list of them stays. As long as the process has no
//! subscriber a switch costs one relaxed load more.
//!
//! Invariants:
//! * Between two fibers no span is entered on a worker's thread; what was on the thread that a runtime took over comes back at its end.
//! * A span that is left here stays open: a reference to it is held meanwhile.
//! * A subscriber is called in the middle of waits that must not be left: if it panics there, the process aborts. It must not park there,
//!   for it would take the token of the wait that it is called in.
//!
//! A scoped default subscriber (`tracing::subscriber::set_default`) is its thread's, not its fiber's: let none live across a park.

use tracing::Dispatch;
use tracing::dispatcher;
use tracing::span::Id;

use crate::abort;

/// More spans than this are not left: some subscriber does not do as it is told.
const SPANS_MAX: usize = 1024;

/// Whether there may be any: whether the process has ever had a subscriber. What tracing's own macros ask; the maximum level would be an
/// instruction more at every switch.
#[inline(always)] // Into the switch: a load and a comparison.
pub(crate) fn are_possible() -> bool {
    dispatcher::has_been_set()
}

/// Spans that have been left; entered again when this is dropped.
pub(crate) struct Left {
    dispatch: Dispatch,
    /// The innermost first. Each is one reference.
    spans: Vec<Id>,
}

/// Leaves all spans that this thread is in.
#[cold]
pub(crate) fn leave() -> Left {
    abort::on_unwind("a tracing subscriber panicked while a fiber left its spans", || {
        let dispatch = dispatcher::get_default(Dispatch::clone);
        let mut spans = Vec::new();
        while spans.len() < SPANS_MAX
            && let Some((span, _)) = dispatch.current_span().into_inner()
        {
            spans.push(dispatch.clone_span(&span));
            dispatch.exit(&span);
        }
        Left { dispatch, spans }
    })
}

impl Left {
    /// Leaves them for good: whoever should have done so is gone.
    pub(crate) fn forget(mut self) {
        abort::on_unwind("a tracing subscriber panicked while a fiber ended", || {
            for span in self.spans.drain(..) {
                self.dispatch.try_close(span);
            }
        });
    }
}

impl Drop for Left {
    /// Enters them again, the outermost first.
    fn drop(&mut self) {
        abort::on_unwind("a tracing subscriber panicked while a fiber entered its spans again", || {
            for span in self.spans.drain(..).rev() {
                self.dispatch.enter(&span);
                self.dispatch.try_close(span);
            }
        });
    }
}

/// Runs `f` outside the caller's spans.
pub(crate) fn outside<R>(f: impl FnOnce() -> R) -> R {
    let _left = are_possible().then(leave);
    f()
}
