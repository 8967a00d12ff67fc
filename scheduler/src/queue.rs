//! The queues of a worker.
//!
//! ```text
//!   wake or spawn_local, same worker ──▶ ready ────────────┐
//!   spawn, same worker ────────────────▶ fresh ────────────┼──▶ next fiber to run
//!   wake or spawn, other thread ───────▶ inbox ─▶ ready/fresh
//!                                        fresh ──stolen by an idle worker──▶ its next fiber
//! ```
//!
//! Only `fresh` can be stolen from: it holds closures that have not started. A fiber that has started is only ever in its
//! own worker's `ready` or `inbox`.

mod inbox;
#[cfg(all(loom, test))]
mod models;
mod ready;

pub(crate) use inbox::Inbox;
pub(crate) use ready::Ready;
