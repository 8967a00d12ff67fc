//! Parking: how a fiber (or a plain thread) waits, and how it is woken. Everything that blocks is built on this.
//!
//! The protocol is that of [`std::thread::park`]: each fiber has a token; [`Unparker::unpark`] gives it, [`park`] waits for it
//! and takes it. A token given early makes the next park return at once, so no wake is lost. A park may also return without
//! reason: wait in a loop, on a condition of your own.
//!
//! ```
//! use std::sync::atomic::{AtomicBool, Ordering};
//! use fibra_scheduler::park::{self, Reason};
//! use fibra_scheduler::runtime;
//!
//! static READY: AtomicBool = AtomicBool::new(false);
//!
//! runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
//!     let waiter = park::current();
//!     fibra_scheduler::spawn(move || {
//!         READY.store(true, Ordering::Release);
//!         waiter.unpark();
//!     });
//!     while !READY.load(Ordering::Acquire) {
//!         park::park(Reason::Parked);
//!     }
//! })?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! [`park`] and [`park_until`] wait whatever happens. [`wait`] is the park of operations that end when the fiber is cancelled or its
//! ambient deadline passes; nearly all do. See [`cancel`].
//!
//! All of them work on plain threads too, so what is built on them works between fibers and threads.

mod layout;
mod sleeper;

use std::fmt;
use std::thread::{self, Thread};
use std::time::Instant;

use crate::FiberId;
pub use crate::hook::on_first_park;

use crate::cancel::{self, Interrupted};
use crate::clock;
use crate::control::FiberRef;
use crate::worker::Worker;

pub(crate) use layout::FIELDS;
pub(crate) use sleeper::Sleeper;

/// What a parked fiber waits for. Dumps and metrics read it; nothing is decided by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u8)] // For debuggers; see `layout`.
pub enum Reason {
    /// [`park`](fn@crate::park::park) was called directly.
    Parked,
    /// The end of another fiber.
    Join(FiberId),
    /// The children of its [`scope`](crate::scope()).
    Scope,
    /// A future, in [`block_on`](crate::block_on()).
    Future,
    /// An instant.
    Sleep,
    /// Bytes, or a connection, on this file descriptor.
    Readable(i32),
    /// Room on this file descriptor.
    Writable(i32),
    /// A lock that another holds.
    Lock {
        /// Where it is: the same for all who wait for it.
        address: usize,
        /// Who held it when this park began; `None`: a plain thread, or readers.
        owner: Option<FiberId>,
    },
    /// A message, or room for one, on one or several channels.
    Channel,
    /// A [`Condvar`](crate::sync::Condvar)'s notification.
    Condvar,
    /// Permits of a [`Semaphore`](crate::sync::Semaphore).
    Semaphore,
    /// The others of a [`Barrier`](crate::sync::Barrier).
    Barrier,
    /// The others of a [`WaitGroup`](crate::sync::WaitGroup).
    WaitGroup,
    /// The value of a [`OnceLock`](crate::sync::OnceLock).
    OnceLock,
    /// The reply to a remote call.
    Call,
    /// A job on the pool of blocking threads.
    Blocking,
    /// Bytes on any of many file descriptors.
    AnyReadable,
}

impl Reason {
    /// The fiber without which the wait cannot end, where that is one particular fiber.
    pub fn waits_for(self) -> Option<FiberId> {
        match self {
            Reason::Join(fiber) => Some(fiber),
            Reason::Lock { owner, .. } => owner,
            _ => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Parked => f.write_str("waits to be unparked"),
            Reason::Join(fiber) => write!(f, "joins fiber {fiber}"),
            Reason::Scope => f.write_str("waits for the children of its scope"),
            Reason::Future => f.write_str("waits for a future"),
            Reason::Sleep => f.write_str("sleeps"),
            Reason::Readable(fd) => write!(f, "waits until descriptor {fd} is readable"),
            Reason::Writable(fd) => write!(f, "waits until descriptor {fd} is writable"),
            Reason::Lock { address, owner: Some(fiber) } => {
                write!(f, "waits for the lock at {address:#x}, which fiber {fiber} holds")
            }
            Reason::Lock { address, owner: None } => write!(f, "waits for the lock at {address:#x}"),
            Reason::Condvar => f.write_str("waits for a notification"),
            Reason::Semaphore => f.write_str("waits for permits of a semaphore"),
            Reason::Barrier => f.write_str("waits at a barrier"),
            Reason::WaitGroup => f.write_str("waits for a wait group"),
            Reason::OnceLock => f.write_str("waits for the value of a OnceLock"),
            Reason::Channel => f.write_str("waits on a channel"),
            Reason::Call => f.write_str("waits for the reply to a call"),
            Reason::Blocking => f.write_str("waits for a blocking thread"),
            Reason::AnyReadable => f.write_str("waits until any of its descriptors is readable"),
        }
    }
}

/// Why [`park_until`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wakeup {
    /// The token was given (or: for no reason, as any park may).
    Unparked,
    /// The deadline has passed.
    TimedOut,
}

impl Wakeup {
    /// As the result of a wait that the deadline cuts.
    #[inline]
    fn in_time(self) -> Result<(), Interrupted> {
        match self {
            Wakeup::Unparked => Ok(()),
            Wakeup::TimedOut => Err(Interrupted::TimedOut),
        }
    }
}

/// Wakes one particular fiber or thread; made by [`current`].
#[derive(Clone)]
pub struct Unparker(Waiter);

#[derive(Clone)]
enum Waiter {
    Fiber(FiberRef),
    Thread(Thread),
}

/// The unparker of the caller: of the running fiber, or outside one of the thread.
#[inline]
pub fn current() -> Unparker {
    match Worker::with(|worker| worker?.running_ref()) {
        Some(fiber) => Unparker::of(fiber),
        None => Unparker(Waiter::Thread(thread::current())),
    }
}

impl Unparker {
    pub(crate) fn of(fiber: FiberRef) -> Self {
        Unparker(Waiter::Fiber(fiber))
    }

    /// Gives the token. At most one is kept; giving it to a fiber that has ended does nothing.
    #[inline]
    pub fn unpark(&self) {
        match &self.0 {
            Waiter::Fiber(fiber) => fiber.unpark(),
            Waiter::Thread(thread) => thread.unpark(),
        }
    }

    /// As [`unpark`](Unparker::unpark), but the fiber runs when its turn comes.
    ///
    /// Whom a fiber `unpark`s on its own worker runs next, as it is usually waited for. One that collects what many bring (to send it with one
    /// system call, say) is better woken so: those who are ready now bring theirs before.
    pub fn unpark_in_turn(&self) {
        match &self.0 {
            Waiter::Fiber(fiber) => fiber.unpark_in_turn(),
            Waiter::Thread(thread) => thread.unpark(),
        }
    }

    /// Whether this wakes the caller.
    pub fn is_current(&self) -> bool {
        match &self.0 {
            Waiter::Fiber(fiber) => Worker::with(|worker| worker.is_some_and(|worker| worker.is_running(fiber))),
            Waiter::Thread(thread) => thread.id() == thread::current().id() && !crate::in_fiber(),
        }
    }
}

impl fmt::Debug for Unparker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Waiter::Fiber(fiber) => f.debug_tuple("Unparker").field(&fiber.control().origin.id).finish(),
            Waiter::Thread(thread) => f.debug_tuple("Unparker").field(&thread.id()).finish(),
        }
    }
}

/// Waits for the caller's token and takes it. May return without one.
///
/// # Panics
///
/// Inside a [`fibra_fiber::Context`] that runs on a fiber: only the whole fiber can park.
#[inline]
pub fn park(reason: Reason) {
    park_until(reason, None);
}

/// As [`park`], but no longer than until `deadline`; `None` waits for ever.
#[inline]
pub fn park_until(reason: Reason, deadline: Option<Instant>) -> Wakeup {
    match Worker::park_running(reason, deadline) {
        Some(wakeup) => wakeup,
        None => park_thread(deadline),
    }
}

/// One park of a wait that cancellation and deadlines cut: parks until the token is given, and fails if the wait must end. May
/// return `Ok` for no reason: look at the condition again.
///
/// ```
/// # use std::sync::atomic::{AtomicBool, Ordering};
/// use fibra_scheduler::cancel::Interrupted;
/// use fibra_scheduler::park::{self, Reason};
///
/// fn until(ready: &AtomicBool) -> Result<(), Interrupted> {
///     while !ready.load(Ordering::Acquire) {
///         park::wait(Reason::Parked, None)?;
///     }
///     Ok(())
/// }
/// # assert!(until(&AtomicBool::new(true)).is_ok());
/// ```
///
/// # Errors
///
/// * [`Cancelled`](Interrupted::Cancelled): the fiber was asked to end.
/// * [`TimedOut`](Interrupted::TimedOut): `deadline`, or the ambient one, has passed.
#[inline]
pub fn wait(reason: Reason, deadline: Option<Instant>) -> Result<(), Interrupted> {
    let deadline = cancel::admit(deadline)?;
    park_until(reason, deadline).in_time()
}

/// Parks a plain thread.
fn park_thread(deadline: Option<Instant>) -> Wakeup {
    let Some(deadline) = deadline else {
        thread::park();
        return Wakeup::Unparked;
    };
    let timeout = deadline.saturating_duration_since(clock::now());
    if timeout.is_zero() {
        return Wakeup::TimedOut;
    }
    thread::park_timeout(timeout);
    if clock::now() < deadline { Wakeup::Unparked } else { Wakeup::TimedOut }
}
