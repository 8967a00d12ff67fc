//! What signal handlers ask of a worker: what to say when a fiber overflows its stack, and which fiber runs. The handlers themselves
//! are in [`fibra_fiber::overflow`] and [`fibra_fiber::sample`].

use std::fmt::Write;

use fibra_fiber::guard_size;
use fibra_fiber::overflow::{self, SignalStack, SpareStack};
use fibra_fiber::sample;

use super::Worker;
use crate::control::FiberRef;

/// Makes sure that an overflow on this thread is reported, and that the thread can be sampled, as long as the result lives. `spare`: memory to do
/// that with.
pub(super) fn prepare_thread(spare: Option<SpareStack>) -> Option<SignalStack> {
    if let Err(error) = sample::install(note) {
        tracing::debug!(%error, "what holds a worker will be reported without a backtrace");
    }
    let prepared = overflow::install(describe).and_then(|()| SignalStack::ensure_in(spare));
    prepared
        .inspect_err(
            |error| tracing::warn!(%error, "stack overflows on this thread will end the process without a message"),
        )
        .ok()
}

/// Runs in a signal handler: the running fiber, with a count of its own.
fn note() -> *mut () {
    Worker::with(|worker| worker?.running_ref()).map_or(std::ptr::null_mut(), FiberRef::into_note)
}

/// Runs in a signal handler: reads plain fields only.
fn describe(address: usize, out: &mut dyn Write) -> bool {
    let described = Worker::with(|worker| {
        worker?.running(|fiber| {
            // SAFETY: it runs on this thread, which the handler has interrupted.
            let end = unsafe { fiber.owned() }.guard_end.get();
            if !(end.saturating_sub(guard_size())..end).contains(&address) {
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
