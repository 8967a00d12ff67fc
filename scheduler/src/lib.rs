//! Fibers on a few OS threads: workers, run queues, timers, parking.
//!
//! ```text
//!    spawn ──▶ fresh closures ──(idle workers steal)──▶ started fiber: stays on its worker
//!                                                        │ park            ▲ unpark: same worker: a queue push
//!                                                        ▼                 │         another: its inbox
//!                                                      waiting ────────────┘ timers, Driver (sockets), other fibers
//! ```
//!
//! ```
//! fn main() -> std::io::Result<()> {
//!     let sum = fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).workers(2).run(|| {
//!         let fibers: Vec<_> = (0..1000).map(|n| fibra_scheduler::spawn(move || n)).collect();
//!         fibers.into_iter().map(|fiber| fiber.join().expect("no panic")).sum::<u32>()
//!     })?;
//!     assert_eq!(sum, 499_500);
//!     Ok(())
//! }
//! ```
//!
//! A fiber that has started never changes its thread. So `spawn` is a safe function, an `Rc` may live on a fiber's stack, and
//! thread-locals keep their addresses; what moves between workers is closures that have not started.
//!
//! This crate knows no sockets: `fibra-net` plugs into its [`Driver`](driver::Driver).
//!
//! | module | what it is |
//! |---|---|
//! | [`runtime`] | [`runtime::Builder`], start, shutdown |
//! | `spawn`, `join` | [`spawn()`], [`spawn_local`], [`Builder`], [`JoinHandle`] |
//! | `scope` | [`scope()`]: fibers that borrow from their parent |
//! | `local`, `current` | [`fiber_local!`], [`current()`] |
//! | [`ambient`] | values that hold for a call and all below it |
//! | [`sync`] | locks, channels, [`select!`](sync::select!) and what else fibers and threads wait for |
//! | [`park`] | how anything waits and is woken |
//! | [`cancel`] | cancellation and deadlines: [`cancel::with_timeout`], [`cancel::shield`] |
//! | `time` | [`sleep`], [`yield_now`] |
//! | `block_on` | [`block_on()`]: futures on fibers |
//! | `blocking` | [`blocking()`]: a pool of threads for what cannot park |
//! | [`seeded`] | runs that a seed decides: order, virtual time, trace |
//! | [`mod@dump`], `counters` | [`dump()`]: every fiber, what it waits for, and its backtrace; [`counters()`] |
//! | [`mod@stacks`] | [`stacks()`]: how much of their stacks fibers use, by spawn site |
//! | [`driver`], [`clock`] | the seams to the operating system and to time |
//! | `spans` | `tracing`'s spans, each fiber's own across switches |
//! | `control` | the control block of a fiber: states, references |
//! | `rng` | the seam to randomness |
//! | `primitive` | the seam at which loom checks what crosses threads |
//! | `hook`, `abort` | what runs when a fiber first parks; the end of the process where unwinding would be unsound |
//! | `watchdog` | notices a fiber that holds its worker |
//! | `worker`, `queue`, `timer` | the loop, its queues, its timing wheel |

#![cfg_attr(all(loom, test), allow(dead_code))] // What only contexts would call.

mod abort;
pub mod ambient;
mod block_on;
mod blocking;
pub mod cancel;
pub mod clock;
mod control;
mod counters;
mod current;
pub mod driver;
pub mod dump;
mod hook;
mod join;
mod local;
#[cfg(all(loom, test))]
mod models;
pub mod park;
mod primitive;
mod queue;
mod rng;
pub mod runtime;
mod scope;
pub mod seeded;
mod spans;
mod spawn;
pub mod stacks;
pub mod sync;
mod time;
mod timer;
mod watchdog;
mod worker;

pub use block_on::block_on;
pub use blocking::blocking;
pub use counters::{Counters, counters};
pub use current::{Fiber, current};
pub use dump::dump;
pub use join::JoinHandle;
pub use local::{LocalKey, clear_locals};
pub use runtime::TooManyFibers;
pub use scope::{Scope, ScopedJoinHandle, scope};
pub use spawn::{Builder, FiberId, spawn, spawn_local};
pub use stacks::stacks;
pub use time::{sleep, yield_now};

use worker::Worker;

/// Whether the caller is a fiber.
#[inline]
pub fn in_fiber() -> bool {
    Worker::with(|worker| worker.is_some_and(|worker| worker.running(|_| ()).is_some()))
}

/// The number of the worker that this thread is, from 0; `None` on other threads.
#[inline]
pub fn worker_index() -> Option<usize> {
    Worker::with(|worker| worker.map(Worker::index))
}
