//! Locks, channels and the like, between fibers of any worker and plain threads alike: what waits parks, and its worker goes on.
//!
//! ```text
//!   Mutex  Condvar  Semaphore  channel  select!
//!      └──────┴────────┬──┴────────┴──────┘
//!                   waiters      lists of those who wait, on their own stacks
//!                      └── park
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | `mutex`, `lock` | [`Mutex`]: parking_lot's |
//! | `condvar` | [`Condvar`]: parking_lot's |
//! | `semaphore` | [`Semaphore`]: permits |
//! | [`channel`] | crossbeam-channel's: bounded, unbounded, oneshot |
//! | `waiters`, `claim` | who waits, in which order, and for which case of a select |
//! | `primitive` | the seam at which loom checks all this |
//!
//! # What cuts a wait
//!
//! Waits for a lock are not cut: neither by a [cancellation nor by an ambient deadline](crate::cancel). Locks are held for short, and who
//! asks for a guard gets one. Waits for an event (a message, a notification, a permit) are cut, and their error says by what.
//!
//! Waiting and waking allocate nothing. Nobody who waits starves; each type says in which order it serves.

pub mod channel;
mod claim;
#[cfg(not(all(loom, test)))]
mod condvar;
mod lock;
#[cfg(not(all(loom, test)))]
mod mutex;
mod primitive;
mod semaphore;
mod waiters;

#[cfg(not(all(loom, test)))]
pub use condvar::Condvar;
#[cfg(not(all(loom, test)))]
pub use mutex::{MappedMutexGuard, Mutex, MutexGuard, RawMutex};
pub use semaphore::{OwnedPermit, Permit, Semaphore};
