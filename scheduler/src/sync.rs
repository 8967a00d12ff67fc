//! Locks, channels and the like, between fibers of any worker and plain threads alike: what waits parks, and its worker goes on.
//!
//! ```text
//!   Mutex  RwLock  Condvar  Semaphore  Barrier  WaitGroup  OnceLock  channel  select!
//!      └──────┴───────┴─────────┴───┬─────┴─────────┴─────────┴────────┴──────┘
//!                                waiters      lists of those who wait, on their own stacks
//!                                   └── park
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | `mutex`, `lock` | [`Mutex`]: parking_lot's |
//! | `rwlock`, `shared_lock` | [`RwLock`]: parking_lot's |
//! | `condvar` | [`Condvar`]: parking_lot's |
//! | `semaphore` | [`Semaphore`]: permits |
//! | `barrier`, `wait_group` | [`Barrier`]: std's; [`WaitGroup`]: crossbeam's |
//! | `once_lock` | [`OnceLock`]: std's |
//! | [`channel`] | crossbeam-channel's: bounded, unbounded, oneshot |
//! | `select` | [`select!`]: waiting on several channels |
//! | `spin` | the small lock that they line up under |
//! | `waiters`, `claim` | who waits, in which order, and for which case of a select |
//! | `primitive` | the seam at which loom checks all this |
//!
//! # What cuts a wait
//!
//! Waits for a lock are not cut: neither by a [cancellation nor by an ambient deadline](crate::cancel). Locks are held for short, and who
//! asks for a guard gets one. Waits for an event (a message, a notification, a permit) are cut, and their error says by what.
//!
//! Waiting and waking allocate nothing. Nobody who waits starves; each type says in which order it serves.

mod barrier;
pub mod channel;
mod claim;
#[cfg(not(all(loom, test)))]
mod condvar;
mod lock;
#[cfg(all(loom, test))]
mod models;
#[cfg(not(all(loom, test)))]
mod mutex;
#[cfg(not(all(loom, test)))]
mod once_lock;
pub(crate) mod primitive;
#[cfg(not(all(loom, test)))]
mod rwlock;
mod select;
mod semaphore;
mod shared_lock;
mod spin;
mod wait_group;
mod waiters;

#[doc(inline)]
pub use crate::select;
pub use barrier::{Barrier, BarrierWaitResult};
#[cfg(not(all(loom, test)))]
pub use condvar::Condvar;
#[cfg(not(all(loom, test)))]
pub use mutex::{MappedMutexGuard, Mutex, MutexGuard, RawMutex};
#[cfg(not(all(loom, test)))]
pub use once_lock::OnceLock;
#[cfg(not(all(loom, test)))]
pub use rwlock::{RawRwLock, RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use select::Joinable;
pub use semaphore::{OwnedPermit, Permit, Semaphore};
pub use wait_group::WaitGroup;

/// What the macro [`select!`] expands to.
#[doc(hidden)]
pub mod __select {
    pub use super::select::{Case, Patience, choose, join, recv, send};
}
