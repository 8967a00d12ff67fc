//! [`WaitGroup`]: waiting for others to be done.

use std::fmt;
use std::sync::Arc;

use super::primitive::{AtomicUsize, Ordering, Sleeper};
use super::waiters::{End, Left, Limit, Waiters};
use crate::cancel::Interrupted;
use crate::park::Reason;

/// Lets one wait until all others have dropped their clones, as crossbeam's `WaitGroup` does.
///
/// ```
/// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
/// use fibra_scheduler::sync::WaitGroup;
///
/// let group = WaitGroup::new();
/// for n in 0..4 {
///     let member = group.clone();
///     fibra_scheduler::spawn(move || {
///         println!("{n}");
///         drop(member);
///     });
/// }
/// group.wait()?;
/// # Ok::<(), fibra_scheduler::cancel::Interrupted>(()) }).unwrap().unwrap();
/// ```
pub struct WaitGroup {
    group: Arc<Group>,
}

struct Group {
    members: AtomicUsize,
    waiters: Waiters<()>,
}

impl WaitGroup {
    /// A group of one.
    pub fn new() -> Self {
        WaitGroup { group: Arc::new(Group { members: AtomicUsize::new(1), waiters: Waiters::new(()) }) }
    }

    /// Leaves the group and waits until everyone has.
    ///
    /// # Errors
    ///
    /// **Cancellation and ambient deadlines cut the wait**: [`Cancelled`](Interrupted::Cancelled), [`TimedOut`](Interrupted::TimedOut).
    pub fn wait(self) -> Result<(), Interrupted> {
        let group = self.group.clone();
        drop(self);
        if group.members.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        let sleeper = Sleeper::prepared();
        let guard = group.waiters.lock();
        // Whoever leaves last takes the lock after that: it finds us in line, or we see that it has left.
        if group.members.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        match guard.wait(sleeper, 0, End::Back, (), &Reason::WaitGroup, Limit::cut(None)) {
            Ok(()) => Ok(()),
            Err(Left { interrupted, .. }) => Err(interrupted),
        }
    }
}

impl Clone for WaitGroup {
    /// One more to wait for.
    fn clone(&self) -> Self {
        self.group.members.fetch_add(1, Ordering::Relaxed);
        WaitGroup { group: self.group.clone() }
    }
}

impl Drop for WaitGroup {
    /// Leaves the group.
    fn drop(&mut self) {
        if self.group.members.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.group.waiters.lock().grant_all(0, |_, ()| {});
        }
    }
}

impl Default for WaitGroup {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitGroup").field("members", &self.group.members.load(Ordering::Relaxed)).finish()
    }
}
