//! Ending the process where unwinding would be unsound.

/// Runs `f`; if it unwinds, says `what` and aborts.
///
/// For code that others rely on to come to its end: a worker, which holds fibers whose stacks are borrowed from; a scope, whose
/// children borrow from the frame that it would leave.
pub(crate) fn on_unwind<R>(what: &str, f: impl FnOnce() -> R) -> R {
    struct Abort<'a>(&'a str);
    impl Drop for Abort<'_> {
        fn drop(&mut self) {
            eprintln!("fibra: {}; going on would be unsound: aborting", self.0);
            std::process::abort();
        }
    }
    let abort = Abort(what);
    let result = f();
    std::mem::forget(abort);
    result
}
