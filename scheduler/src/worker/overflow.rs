//! What is said when a fiber overflows its stack. The signal handler itself is in [`fibra_fiber::overflow`].

use std::fmt::Write;

use fibra_fiber::overflow::{self, SignalStack};

use super::Worker;

/// Makes sure that an overflow on this thread is reported, as long as the result lives.
pub(super) fn prepare_thread() -> Option<SignalStack> {
    let prepared = overflow::install(describe).and_then(|()| SignalStack::ensure());
    prepared
        .inspect_err(
            |error| tracing::warn!(%error, "stack overflows on this thread will end the process without a message"),
        )
        .ok()
}

/// Runs in a signal handler: reads plain fields only.
fn describe(address: usize, out: &mut dyn Write) -> bool {
    let described = Worker::with(|worker| {
        worker?.running(|fiber| {
            // SAFETY: it runs on this thread, which the handler has interrupted.
            let (start, end) = unsafe { fiber.owned() }.guard.get();
            if !(start..end).contains(&address) {
                return false;
            }
            let origin = &fiber.origin;
            let _ = write!(out, "\nfibra: fiber {}", origin.id);
            if let Some(name) = &origin.name {
                let _ = write!(out, " '{name}'");
            }
            let _ = writeln!(
                out,
                ", spawned at {}, has overflowed its stack of {} KiB\nnote: give it more with \
                 fibra::Builder::stack_size(bytes), or all fibers with fibra::runtime::builder().stack_size(bytes)",
                origin.spawned_at,
                origin.stack_size.div_ceil(1024),
            );
            true
        })
    });
    described.unwrap_or(false)
}
