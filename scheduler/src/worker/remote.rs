//! The part of a worker that other threads may touch.

#[cfg(all(loom, test))]
mod models;

use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};

use fibra_fiber::sample::Subject;

use crate::control::{Control, Runnable};
use crate::counters::Tally;
use crate::driver::DriverWaker;
use crate::dump::Request;
use crate::primitive::deque::Stealer;
use crate::primitive::{AtomicBool, AtomicUsize, Flag, Mutex, Ordering, fence, yield_now};
use crate::queue::Inbox;
use crate::stacks::Sites;

/// How many dumps may wait for one worker; it looks at them 10,000 times a second, unless a fiber holds it.
const ERRANDS_MAX: usize = 64;

/// See the [module](self). Aligned so that two workers' flags do not share a cache line.
#[repr(align(128))]
pub(crate) struct Remote {
    inbox: Inbox,
    /// Set by the worker before it waits in its driver; whoever clears it must wake the driver.
    parked: Flag,
    /// Set with the wake-up of a worker that is to look for work to steal.
    searching: AtomicBool,
    /// Set by the worker while it waits for nothing but to be woken; see `stillness`.
    still: AtomicBool,
    /// How many threads are inside [`deliver`](Remote::deliver).
    delivering: AtomicUsize,
    fresh: Stealer<Runnable>,
    waker: OnceLock<Arc<dyn DriverWaker>>,
    tally: Arc<Tally>,
    sites: Arc<Sites>,
    /// The worker's thread, once it runs.
    subject: OnceLock<Subject>,
    /// Dumps that wait for this worker's part, and whether there are any, to be looked at without the lock.
    errands: Mutex<Vec<Arc<Request>>>,
    has_errands: AtomicBool,
}

impl Remote {
    pub(crate) fn new(fresh: Stealer<Runnable>, sites: Sites) -> Self {
        Remote {
            inbox: Inbox::default(),
            parked: Flag::new(false),
            searching: AtomicBool::new(false),
            still: AtomicBool::new(false),
            delivering: AtomicUsize::new(0),
            fresh,
            waker: OnceLock::new(),
            tally: Arc::default(),
            sites: Arc::new(sites),
            subject: OnceLock::new(),
            errands: Mutex::default(),
            has_errands: AtomicBool::new(false),
        }
    }

    pub(super) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    pub(super) fn fresh(&self) -> &Stealer<Runnable> {
        &self.fresh
    }

    pub(super) fn set_waker(&self, waker: Arc<dyn DriverWaker>) {
        // A worker thread has one driver; a second call would be a second runtime on the same remote.
        let _ = self.waker.set(waker);
    }

    /// Asks the worker to unpark a fiber of its own, and wakes the worker if it sleeps. Any thread.
    ///
    /// # Safety
    ///
    /// `this` is the home of the fiber, and waits for it to be drained before it ends; the fiber may be pushed, see [`Inbox::push`].
    /// (Not a reference, since it may be gone when this returns.)
    pub(crate) unsafe fn deliver(this: *const Remote, fiber: NonNull<Control>) {
        // SAFETY: until the fiber has been drained its worker cannot end. From then on the count keeps the worker from ending, until it
        // is taken back as the last thing.
        let delivering = unsafe { &raw const (*this).delivering };
        // SAFETY: as above.
        unsafe { (*delivering).fetch_add(1, Ordering::Relaxed) };
        // SAFETY: as above.
        unsafe { (*this).inbox.push(fiber) };
        // SAFETY: as above.
        unsafe { (*this).wake_if_parked() };
        // SAFETY: as above.
        unsafe { (*delivering).fetch_sub(1, Ordering::Release) };
    }

    /// What the worker has counted.
    pub(crate) fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// What the worker knows of where its fibers were spawned.
    pub(crate) fn sites(&self) -> &Arc<Sites> {
        &self.sites
    }

    /// Asks the worker for its part of a dump, and wakes it if it sleeps. Any thread. `false`: too many wait already.
    pub(crate) fn ask(&self, request: Arc<Request>) -> bool {
        let mut errands = self.errands.lock();
        if errands.len() >= ERRANDS_MAX {
            return false;
        }
        errands.push(request);
        self.has_errands.store(true, Ordering::Relaxed);
        drop(errands);
        self.wake_if_parked();
        true
    }

    /// Whether the worker is asked for something.
    #[inline]
    pub(super) fn has_errands(&self) -> bool {
        self.has_errands.load(Ordering::Relaxed)
    }

    /// Takes what the worker is asked for.
    pub(super) fn take_errands(&self) -> Vec<Arc<Request>> {
        let mut errands = self.errands.lock();
        self.has_errands.store(false, Ordering::Relaxed);
        std::mem::take(&mut *errands)
    }

    /// Whether some thread is still inside [`deliver`](Remote::deliver).
    pub(super) fn is_delivering(&self) -> bool {
        self.delivering.load(Ordering::Acquire) != 0
    }

    /// Waits until nobody is inside [`deliver`](Remote::deliver) any more.
    pub(super) fn outlast_deliveries(&self) {
        while self.is_delivering() {
            yield_now();
        }
    }

    /// Wakes the worker if it sleeps: one system call, and only then.
    pub(crate) fn wake_if_parked(&self) {
        // Pairs with the fence in `Worker::sleep`: either we see `parked`, or the worker sees what we queued before.
        fence(Ordering::SeqCst);
        if self.parked.load(Ordering::Relaxed)
            && self.parked.swap(false, Ordering::AcqRel)
            && let Some(waker) = self.waker.get()
        {
            waker.wake();
        }
    }

    /// Says that the worker is about to wait: whoever queues something for it wakes it from now on.
    pub(super) fn announce(&self) {
        self.parked.store(true, Ordering::Relaxed);
    }

    /// Makes the worker, which is asleep, search for work to steal when it wakes.
    pub(super) fn ask_to_search(&self) {
        self.searching.store(true, Ordering::Release);
    }

    /// Whether the worker was woken to search.
    pub(super) fn take_search(&self) -> bool {
        self.searching.swap(false, Ordering::Acquire)
    }

    /// Whether the worker sleeps, as it has announced, and nobody has woken it.
    pub(crate) fn is_parked(&self) -> bool {
        self.parked.load(Ordering::Relaxed)
    }

    /// The worker's thread, once it runs.
    pub(crate) fn subject(&self) -> Option<&Subject> {
        self.subject.get()
    }

    /// Says that the calling thread is the worker.
    pub(super) fn introduce(&self) {
        let _ = self.subject.set(Subject::current());
    }

    /// Says whether the worker waits for nothing but to be woken.
    pub(super) fn set_still(&self, still: bool) {
        // Release: who sees it still sees that it was awake, too.
        self.still.store(still, Ordering::Release);
    }

    pub(super) fn is_still(&self) -> bool {
        self.still.load(Ordering::Acquire)
    }

    /// Whether nobody has woken the worker or left anything for it since it announced that it sleeps.
    pub(super) fn is_undisturbed(&self) -> bool {
        self.is_parked()
            && !self.is_delivering()
            && self.inbox.is_empty()
            && self.fresh.is_empty()
            && !self.has_errands()
    }

    /// The worker is awake.
    pub(super) fn retract(&self) {
        self.parked.store(false, Ordering::Relaxed);
    }
}
