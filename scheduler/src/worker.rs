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
use crate::hook;
use crate::park::{Reason, Wakeup};
use crate::primitive::deque;
use crate::queue::Ready;
use crate::runtime::Shared;
use crate::spans;
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

    /// Gives a fiber its token, and queues it if it was parked. `false`: another worker is its home, or it has none yet.
    ///
    /// # Safety
    ///
    /// `fiber` points to a live control block.
    #[inline]
    pub(crate) unsafe fn wake(&self, fiber: NonNull<Control>) -> bool {
        // SAFETY: live, as the caller says.
        let control = unsafe { fiber.as_ref() };
        if !ptr::eq(self.address, control.home()) {
            return false;
        }
        // SAFETY: live, and this is its home.
        unsafe { self.wake_own(fiber) };
        true
    }

    /// As [`wake`](Worker::wake), for a fiber of this worker.
    ///
    /// # Safety
    ///
    /// `fiber` points to a live control block, and this worker is its home.
    #[inline]
    pub(crate) unsafe fn wake_own(&self, fiber: NonNull<Control>) {
        // SAFETY: as the caller says.
        if unsafe { fiber.as_ref().owned() }.token.give() {
            bump(&self.counts.wakes);
            // SAFETY: it was parked, and we have taken it out of that, so it is ours to queue.
            let runnable = unsafe { Runnable::from_raw(fiber) };
            // Woken by a fiber: likely to be waited for next. Woken by the driver or from outside: in turn.
            match self.running.get() {
                Some(_) => self.ready.push_woken(runnable),
                None => {
                    // Others run before it, which gives the cache time. SAFETY: it was parked, so it has started and not ended.
                    unsafe { fiber.as_ref().owned().context.get_unchecked() }.prefetch();
                    self.ready.push_back(runnable);
                }
            }
        }
    }

    /// As [`wake`](Worker::wake), behind all that are ready.
    ///
    /// # Safety
    ///
    /// `fiber` points to a live control block.
    pub(crate) unsafe fn wake_in_turn(&self, fiber: NonNull<Control>) -> bool {
        // SAFETY: live, as the caller says.
        let control = unsafe { fiber.as_ref() };
        if !self.is_home_of(control) {
            return false;
        }
        // SAFETY: this is its home.
        if unsafe { control.owned() }.token.give() {
            bump(&self.counts.wakes);
            // SAFETY: it was parked, and we have taken it out of that, so it is ours to queue.
            self.ready.push_back(unsafe { Runnable::from_raw(fiber) });
        }
        true
    }

    pub(crate) fn is_running(&self, fiber: &FiberRef) -> bool {
        self.running.get().is_some_and(|running| fiber.is(running))
    }

    /// Does what comes before a park of the running fiber: fires its hook, if it has one.
    ///
    /// # Panics
    ///
    /// As the park would, inside a [`fibra_fiber::Context`] that runs on a fiber.
    #[cold]
    pub(crate) fn prepare_running() {
        if let Some(fiber) = Worker::with(|worker| worker?.running_to_park()) {
            // SAFETY: it runs on this thread, and has not ended.
            hook::fire(unsafe { &fiber.as_ref().owned().hook });
        }
    }

    /// The running fiber, if one runs, whose caller is about to park it.
    ///
    /// # Panics
    ///
    /// As the park would, inside a [`fibra_fiber::Context`] that runs on a fiber.
    #[inline]
    pub(crate) fn running_to_park(&self) -> Option<NonNull<Control>> {
        self.running(check_innermost)?;
        self.running.get()
    }

    /// Parks the running fiber until its token is given or `deadline` passes. `None` if no fiber runs on this thread.
    #[inline(never)] // One copy, with all of the way to the switch in it.
    pub(crate) fn park_running(reason: Reason, deadline: Option<Instant>) -> Option<Wakeup> {
        Worker::park_here(reason, deadline)
    }

    /// As [`park_running`](Worker::park_running), in the place of the call.
    #[inline(always)]
    pub(crate) fn park_here(reason: Reason, deadline: Option<Instant>) -> Option<Wakeup> {
        let fiber = Worker::with(|worker| worker?.running.get())?;
        // SAFETY: it runs, on this thread.
        Some(unsafe { Worker::park_fiber(fiber, reason, deadline) })
    }

    /// Parks the running fiber, which the caller has at hand.
    ///
    /// # Safety
    ///
    /// `fiber` runs, on this thread.
    #[inline(always)]
    pub(crate) unsafe fn park_fiber(fiber: NonNull<Control>, reason: Reason, deadline: Option<Instant>) -> Wakeup {
        if spans::are_possible() {
            // SAFETY: as the caller says.
            return unsafe { Worker::park_outside_spans(fiber, reason, deadline) };
        }
        // SAFETY: as the caller says.
        unsafe { Worker::park_bare(fiber, reason, deadline) }
    }

    /// As [`park_fiber`](Worker::park_fiber), where there may be spans to leave.
    ///
    /// # Safety
    ///
    /// As there.
    #[cold]
    #[inline(never)]
    unsafe fn park_outside_spans(fiber: NonNull<Control>, reason: Reason, deadline: Option<Instant>) -> Wakeup {
        // SAFETY: it runs on this thread, so it has not ended, and this is its home worker.
        let is_given = unsafe { fiber.as_ref().owned() }.token.is_given();
        // SAFETY: as the caller says.
        let park = || unsafe { Worker::park_bare(fiber, reason, deadline) };
        // With its token given it does not switch away.
        if is_given { park() } else { spans::outside(park) }
    }

    /// As [`park_fiber`](Worker::park_fiber), whatever spans the fiber is in.
    ///
    /// # Safety
    ///
    /// As there.
    #[inline(always)]
    unsafe fn park_bare(fiber: NonNull<Control>, reason: Reason, deadline: Option<Instant>) -> Wakeup {
        // SAFETY: not null, since this thread runs a fiber, below the worker's `enter`; and that fiber never changes its worker.
        let worker = unsafe { &*CURRENT.get() };
        // SAFETY: the running fiber has not ended, so it is live through all of this function.
        let control = unsafe { fiber.as_ref() };
        // SAFETY: it runs on this thread, so this is its home worker.
        let owned = unsafe { control.owned() };
        if deadline.is_some_and(|deadline| deadline <= clock::now()) {
            return Wakeup::TimedOut;
        }
        check_innermost(control);
        if !owned.token.is_given() {
            hook::fire(&owned.hook);
        }
        if !owned.token.park() {
            return Wakeup::Unparked;
        }
        bump(&worker.counts.parks);
        owned.since.set(worker.pace.last_known_now());
        owned.trimmed.set(false);
        owned.reason.set(reason);
        if let Some(deadline) = deadline {
            owned.timed_out.set(false);
            // SAFETY: the node is in the control block, which outlives the park; it is not armed, since every park that
            // arms it disarms it.
            unsafe { worker.timers.borrow_mut().arm(Control::timer(fiber), deadline) };
        }
        // SAFETY: it runs, and is innermost: that was checked.
        unsafe { Worker::go_to(owned.context.get_unchecked(), worker.pop_next()) };
        owned.token.take();
        if deadline.is_none() {
            return Wakeup::Unparked;
        }
        // SAFETY: a node of this worker's timers: a fiber never changes its worker.
        unsafe { worker.timers.borrow_mut().cancel(Control::timer(fiber)) };
        if owned.timed_out.get() { Wakeup::TimedOut } else { Wakeup::Unparked }
    }
}

/// What runs in a context of its own inside a fiber would suspend only that, while the whole fiber counts as parked.
#[inline]
fn check_innermost(running: &Control) {
    // SAFETY: the caller has it from `running`.
    if !unsafe { running.is_innermost() } {
        panic_nested();
    }
}

#[cold]
fn panic_nested() -> ! {
    panic!("a fiber cannot park inside a fibra_fiber::Context of its own: suspend that context instead");
}
