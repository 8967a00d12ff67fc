//! A worker: one OS thread that runs fibers, one after the other.
//!
//! ```text
//!             ┌──────────────────────────── turn ───────────────────────────┐
//!             ▼                                                              │
//!   next fiber: slot ─ ready/fresh in turns ─ inbox ─▶ run until it parks, ──┘  every 61 switches or 100 us:
//!             │ none                                   yields or ends            timers, driver (without waiting), inbox
//!             ▼                                        └─▶ hands over to the next, while all that the loop would do is to resume it
//!   steal fresh closures ─ none ─▶ announce "parked", look once more, wait in the driver
//! ```
//!
//! Invariants:
//! * A [`Worker`] is touched by its own thread only; what others may touch is its [`Remote`].
//! * No `RefCell` of the worker is borrowed while a fiber runs, or while the driver or a destructor of the user's does.
//! * Every fiber listed in `live` was started here, and ends here or is leaked at shutdown.

mod affinity;
mod allowance;
mod answer;
mod cooling;
mod hand_over;
mod idle;
mod kept;
mod listing;
mod live;
mod measure;
mod overflow;
mod park;
mod remote;
mod stillness;
mod trim;
mod turn;

use std::cell::{Cell, RefCell};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fibra_fiber::StackPool;

use crate::clock;
use crate::control::{Control, FiberRef, Heap, Lease, Runnable};
use crate::counters::{Counts, bump};
use crate::dump::debugger;
use crate::primitive::deque;
use crate::queue::Ready;
use crate::runtime::Shared;
use crate::spawn::Site;
use crate::stacks::Sites;
use crate::timer::Timers;

use allowance::Allowance;
use cooling::Cooling;
pub(crate) use idle::Sleepers;
pub(crate) use listing::FIELDS as LISTING_FIELDS;
use live::Live;
pub(crate) use remote::Remote;
use trim::Trim;
use turn::Pace;
#[cfg(all(loom, test))]
pub(crate) use turn::models::Alone;

thread_local! {
    static CURRENT: Cell<*const Worker> = const { Cell::new(ptr::null()) };
}

/// See the [module](self).
pub(crate) struct Worker {
    shared: Arc<Shared>,
    index: usize,
    /// Of our own `Remote`, by which fibers say where they are at home.
    address: *const Remote,
    ready: Ready,
    /// Closures that have not started; idle workers steal from its front.
    fresh: deque::Worker<Runnable>,
    timers: RefCell<Timers>,
    stacks: RefCell<StackPool>,
    /// What its fibers spawn from.
    heap: Lease,
    sites: Arc<Sites>,
    running: Cell<Option<NonNull<Control>>>,
    live: RefCell<Live>,
    pace: Pace,
    trim: Trim,
    cooling: Cooling,
    counts: Counts,
    /// Whether a fiber that switches away may hand over to the next that is ready, or the loop has to decide.
    hands_over: Cell<bool>,
    /// Whether the seed decides about every switch.
    is_seeded: Cell<bool>,
    /// Fibers that have ended while the inbox, or one who is about to push them, still holds them.
    owed: Cell<usize>,
    allowance: Allowance,
    /// Whether `fresh` has the next turn.
    fresh_next: Cell<bool>,
    /// How many switches there had been when the runtime was last found still but maybe not for ever, and when to look again.
    recheck: Cell<(u64, Duration)>,
    /// Whether the fibers wait for ever, so that this worker ends and leaks them.
    is_deadlocked: Cell<bool>,
    /// Whether this worker has noticed that the runtime stops, and cancelled its fibers.
    stopping: Cell<bool>,
    /// The end of the grace period, once it stops; `None` also if that is further away than the clock reaches.
    deadline: Cell<Option<Instant>>,
}

impl Worker {
    pub(crate) fn new(shared: Arc<Shared>, index: usize, fresh: deque::Worker<Runnable>) -> Self {
        let address = &raw const shared.workers[index];
        let tally = shared.workers[index].tally().clone();
        let sites = shared.workers[index].sites().clone();
        let trim = Trim::new(clock::now(), shared.trim_after);
        Worker {
            shared,
            index,
            address,
            ready: Ready::default(),
            fresh,
            timers: RefCell::new(Timers::new(clock::now())),
            stacks: RefCell::default(),
            heap: Lease::take(),
            sites,
            running: Cell::new(None),
            live: RefCell::default(),
            pace: Pace::new(clock::now(), tally),
            trim,
            cooling: Cooling::new(clock::now()),
            counts: Counts::default(),
            hands_over: Cell::new(false),
            is_seeded: Cell::new(false),
            owed: Cell::new(0),
            allowance: Allowance::default(),
            fresh_next: Cell::new(false),
            stopping: Cell::new(false),
            recheck: Cell::default(),
            is_deadlocked: Cell::new(false),
            deadline: Cell::new(None),
        }
    }

    /// Hands `f` the worker of this thread, if it has one.
    #[inline(always)]
    pub(crate) fn with<R>(f: impl FnOnce(Option<&Worker>) -> R) -> R {
        // SAFETY: not null only while `enter` is on this thread's stack, which borrows the worker; `f` cannot keep the
        // reference, and a fiber inside `f` cannot outlive `enter`, below which it runs.
        f(unsafe { CURRENT.get().as_ref() })
    }

    /// Runs `f` with `self` as this thread's worker.
    fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Leave;
        impl Drop for Leave {
            fn drop(&mut self) {
                CURRENT.set(ptr::null());
            }
        }
        assert!(CURRENT.get().is_null(), "this thread runs a fibra runtime already");
        CURRENT.set(self);
        let _leave = Leave;
        let listing = self.listing();
        let _listed = debugger::list(&listing);
        f()
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    #[inline]
    pub(crate) fn heap(&self) -> &Heap {
        &self.heap
    }

    fn remote(&self) -> &Remote {
        &self.shared.workers[self.index]
    }

    /// Lets others read what this worker has counted.
    pub(crate) fn publish(&self) {
        self.remote().tally().publish(&self.counts);
        self.publish_allowance();
    }

    /// Where a fiber is made that only this worker may start.
    #[inline]
    pub(crate) fn here(&self) -> Site<'_> {
        Site { heap: &self.heap, home: self.address, stack_size: self.shared.stack_size }
    }

    /// Where a fiber is made that any worker may start.
    #[inline]
    pub(crate) fn anywhere(&self) -> Site<'_> {
        match self.shared.workers.len() {
            // Nobody could steal it: spare the ordered writes of a queue that can be stolen from.
            1 => self.here(),
            _ => Site { home: ptr::null(), ..self.here() },
        }
    }

    /// Queues a fresh fiber; if any worker may start it, wakes an idle one for it.
    #[inline]
    pub(crate) fn spawn(&self, runnable: Runnable) {
        bump(&self.counts.spawned);
        if !runnable.control().home().is_null() {
            return self.ready.push_back(runnable);
        }
        self.fresh.push(runnable);
        self.hands_over.set(false);
        self.shared.sleepers.wake_one(&self.shared.workers);
    }

    /// Hands `f` the running fiber, if one runs.
    #[inline]
    pub(crate) fn running<R>(&self, f: impl FnOnce(&Control) -> R) -> Option<R> {
        // SAFETY: the running fiber has not ended.
        self.running.get().map(|fiber| f(unsafe { fiber.as_ref() }))
    }

    /// A reference to the running fiber, if one runs.
    #[inline]
    pub(crate) fn running_ref(&self) -> Option<FiberRef> {
        // SAFETY: the running fiber has not ended, so it is live.
        self.running.get().map(|fiber| unsafe { FiberRef::acquire(fiber) })
    }

    /// The running fiber, uncounted.
    #[inline]
    pub(crate) fn running_raw(&self) -> Option<NonNull<Control>> {
        self.running.get()
    }

    /// Whether this worker is the only one to run the fiber.
    #[inline]
    pub(crate) fn is_home_of(&self, fiber: &Control) -> bool {
        ptr::eq(self.address, fiber.home())
    }

    pub(crate) fn is_running(&self, fiber: &FiberRef) -> bool {
        self.running.get().is_some_and(|running| fiber.is(running))
    }
}
