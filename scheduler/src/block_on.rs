//! Futures on fibers: polls on the fiber's stack, parks while the future is pending.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::cancel::Interrupted;
use crate::park::{self, Reason, Unparker};

/// Runs a future to its end; the fiber parks while it is pending, and other fibers run. On a plain thread, blocks that thread.
///
/// So crates of the async world run on fibers, as long as they do not need an executor of their own to spawn on or to do I/O.
///
/// # Differences from other `block_on`s
///
/// It can be cut short, hence the `Result`: the future is then dropped, which is how futures are cancelled.
///
/// # Errors
///
/// [`Interrupted`], if the fiber is cancelled or its ambient deadline passes before the future is ready.
///
/// ```
/// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
/// assert_eq!(fibra_scheduler::block_on(async { 3 + 5 }), Ok(8));
/// # }).unwrap();
/// ```
pub fn block_on<F>(future: F) -> Result<F::Output, Interrupted>
where
    F: Future,
{
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(WakeByUnpark(park::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Ok(output);
        }
        park::wait(Reason::Future, None)?;
    }
}

pub(crate) struct WakeByUnpark(pub(crate) Unparker);

impl Wake for WakeByUnpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}
