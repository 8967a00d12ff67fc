//! Guarded stacks and context switches: the two things that a fiber is made of.
//!
//! ```text
//!   StackPool ──take──▶ Stack ──▶ Context::new(stack, closure)
//!       ▲                            │  resume() ⇄ suspend()
//!       └───────────give─────────────┘  into_stack() once finished
//! ```
//!
//! ```
//! use fibra_fiber::{Context, StackPool, suspend};
//!
//! let mut pool = StackPool::new();
//! let context = Context::new(pool.take(64 << 10)?, || {
//!     for step in 1..=3 {
//!         println!("step {step}");
//!         suspend();
//!     }
//! });
//! while !context.is_finished() {
//!     let _ = context.resume();
//! }
//! pool.give(context.into_stack());
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! This crate knows no scheduler: who resumes a context, and when, is decided above. It is the place for `unsafe` about
//! stacks; what it exports is safe.
//!
//! | module | what it is |
//! |---|---|
//! | `context` | [`Context`]: a closure on a stack; [`suspend`], [`hand_over`] |
//! | `switch` | the switch between two stacks, in assembly |
//! | `stack` | [`Stack`]: one guarded stack, coloured |
//! | `pool` | [`StackPool`]: stacks of one worker, taken and given hot |
//! | `slab` | one mapping that holds many stacks |
//! | `guard` | [`GuardKind`]: how an overflow is made to fault |
//! | [`high_water`] | how deep a stack has been used |
//! | [`overflow`] | the message before an overflow ends the process |
//! | [`sample`] | where a thread is that does not answer |
//! | `sanitizer` | AddressSanitizer's view of a switch |
//! | `thread` | the numbers of threads, as the system lists them |
//! | `clock` | the clock of instants, as other processes read it |
//! | `layout` | what debuggers must know |
//! | `memory` | [`Mapping`]: pages of one's own; the system calls on pages |
//!
//! # Feature flags
//!
//! * `sanitizer`: tells AddressSanitizer of every stack switch. Such a build links only with `-Zsanitizer=address`.

mod clock;
mod context;
mod guard;
pub mod high_water;
#[doc(hidden)]
pub mod layout;
mod memory;
pub mod overflow;
mod pool;
pub mod sample;
mod sanitizer;
mod slab;
mod stack;
mod switch;
mod thread;

pub use clock::monotonic_time;
pub use context::{Context, Resumed, hand_over, in_context, suspend};
pub use guard::{GuardKind, guard_kind, guard_size};
pub use memory::Mapping;
pub use pool::StackPool;
pub use slab::reserved_bytes;
pub use stack::{DEFAULT_STACK_SIZE, MIN_USABLE_STACK_SIZE, Stack};
pub use thread::{ProcessStatus, process_status, thread_number};
