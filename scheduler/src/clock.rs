//! The seam to time: the only file that reads a clock.
//!
//! Everything that decides by time asks [`now`], so that one place can make time virtual: on the thread of a
//! [seeded](crate::seeded) run, time is a number that the worker moves on.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

thread_local! {
    /// The time that whoever runs on this thread sees in a seeded run; `None` where time is real.
    static VIRTUAL: Cell<Option<Instant>> = const { Cell::new(None) };
    /// When the seeded run on this thread began.
    static BEGUN: Cell<Option<Instant>> = const { Cell::new(None) };
    /// How long the seeded run on this thread has taken by its own clock.
    static ELAPSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// The current instant, as every timer and deadline of fibra sees it.
#[inline]
pub fn now() -> Instant {
    match VIRTUAL.get() {
        None => real(),
        Some(now) => now,
    }
}

/// An instant to count from: in a seeded run its beginning, so that what is counted there depends on the seed alone; elsewhere when this was first called.
///
/// ```
/// use fibra_scheduler::clock;
///
/// assert!(clock::origin() <= clock::now());
/// ```
#[inline]
pub fn origin() -> Instant {
    static FIRST: LazyLock<Instant> = LazyLock::new(real);
    BEGUN.get().unwrap_or_else(|| *FIRST)
}

#[inline]
#[allow(clippy::disallowed_methods)] // This is the one place that the lint sends everyone to.
fn real() -> Instant {
    Instant::now()
}

/// Whether this thread's time is that of a seeded run.
#[inline]
pub(crate) fn is_virtual() -> bool {
    VIRTUAL.get().is_some()
}

/// The present instant as other processes know it; `None` where time is virtual, and on systems other than Linux.
pub(crate) fn monotonic() -> Option<Duration> {
    if is_virtual() { None } else { fibra_fiber::monotonic_time() }
}

/// How long the seeded run on this thread has taken.
pub(crate) fn elapsed() -> Option<Duration> {
    is_virtual().then(|| ELAPSED.get())
}

/// Makes this thread's time virtual, as long as it lives: time stands still but for [`advance`](Virtual::advance).
#[derive(Debug)]
pub(crate) struct Virtual {
    /// A real instant, so that arithmetic with instants from outside makes sense. Nothing must depend on which.
    start: Instant,
    /// It is this thread's.
    not_send: PhantomData<*const ()>,
}

impl Virtual {
    pub(crate) fn start() -> Self {
        assert!(!is_virtual(), "this thread is in a seeded run already");
        let start = real();
        ELAPSED.set(Duration::ZERO);
        BEGUN.set(Some(start));
        VIRTUAL.set(Some(start));
        Virtual { start, not_send: PhantomData }
    }

    pub(crate) fn advance(&self, by: Duration) {
        ELAPSED.set(ELAPSED.get() + by);
        self.show(ELAPSED.get());
    }

    /// What [`now`] shows from here on, counted from the beginning.
    pub(crate) fn show(&self, elapsed: Duration) {
        VIRTUAL.set(Some(self.start + elapsed));
    }

    /// How much virtual time has passed.
    pub(crate) fn elapsed(&self) -> Duration {
        ELAPSED.get()
    }
}

impl Drop for Virtual {
    fn drop(&mut self) {
        VIRTUAL.set(None);
        BEGUN.set(None);
    }
}
