//! A worker: one OS thread that runs fibers, one after the other.
//!
//! ```text
//!             ┌──────────────────────────── turn ───────────────────────────┐
//!             ▼                                                              │
//!   next fiber: slot ─ ready/fresh in turns ─ inbox ─▶ run until it parks, ──┘  every 61 switches or 100 us:
//!             │ none                                   yields or ends            timers, driver (without waiting), inbox
//!             ▼
//!   steal fresh closures ─ none ─▶ announce "parked", look once more, wait in the driver
//! ```
//!
//! Invariants:
//! * A [`Worker`] is touched by its own thread only; what others may touch is its [`Remote`].
//! * No `RefCell` of the worker is borrowed while a fiber runs, or while the driver or a destructor of the user's does.
//! * Every fiber listed in `live` was started here, and ends here or is leaked at shutdown.

mod affinity;
mod answer;
mod idle;
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
use slab::Slab;

use crate::clock;
use crate::control::{Control, FiberRef, Owned, Runnable};
use crate::counters::{Counts, bump};
use crate::hook;
use crate::park::{Reason, Wakeup};
use crate::queue::Ready;
use crate::runtime::Shared;
use crate::timer::Timers;

pub(crate) use idle::Sleepers;
pub(crate) use remote::Remote;
use trim::Trim;
use turn::Pace;

thread_local! {
    static CURRENT: Cell<*const Worker> = const { Cell::new(ptr::null()) };
}

/// See the [module](self).
pub(crate) struct Worker {
    shared: Arc<Shared>,
    index: usize,
    /// Of our own `Remote`, by which fibers say where they are at home.
    address: *const Remote,
    ready: RefCell<Ready>,
    /// Closures that have not started; idle workers steal from its front.
    fresh: crossbeam_deque::Worker<Runnable>,
    timers: RefCell<Timers>,
    stacks: RefCell<StackPool>,
    running: Cell<Option<NonNull<Control>>>,
    live: RefCell<Slab<NonNull<Control>>>,
    pace: Pace,
    trim: Trim,
    counts: Counts,
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
    pub(crate) fn new(shared: Arc<Shared>, index: usize, fresh: crossbeam_deque::Worker<Runnable>) -> Self {
        let address = &raw const shared.workers[index];
        let tally = shared.workers[index].tally().clone();
        let trim = Trim::new(clock::now(), shared.trim_after);
        Worker {
            shared,
            index,
            address,
            ready: RefCell::default(),
            fresh,
            timers: RefCell::new(Timers::new(clock::now())),
            stacks: RefCell::default(),
            running: Cell::new(None),
            live: RefCell::default(),
            pace: Pace::new(clock::now(), tally),
            trim,
            counts: Counts::default(),
            fresh_next: Cell::new(false),
            stopping: Cell::new(false),
            recheck: Cell::default(),
            is_deadlocked: Cell::new(false),
            deadline: Cell::new(None),
        }
    }

    /// Hands `f` the worker of this thread, if it has one.
    #[inline]
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
        f()
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn remote(&self) -> &Remote {
        &self.shared.workers[self.index]
    }

    /// Lets others read what this worker has counted.
    pub(crate) fn publish(&self) {
        self.remote().tally().publish(&self.counts);
    }

    /// Queues a fresh fiber that any worker may start, and wakes an idle one for it.
    #[inline]
    pub(crate) fn spawn(&self, runnable: Runnable) {
        if self.shared.workers.len() == 1 {
            // Nobody could steal it: spare the ordered writes of a queue that can be stolen from.
            return self.spawn_local(runnable);
        }
        bump(&self.counts.spawned);
        self.fresh.push(runnable);
        self.shared.sleepers.wake_one(&self.shared.workers);
    }

    /// Queues a fresh fiber that only this worker may start.
    pub(crate) fn spawn_local(&self, runnable: Runnable) {
        bump(&self.counts.spawned);
        self.ready.borrow_mut().push_back(runnable);
    }

    /// Hands `f` the running fiber, if one runs.
    #[inline]
    pub(crate) fn running<R>(&self, f: impl FnOnce(&Control) -> R) -> Option<R> {
        // SAFETY: the running fiber holds the scheduler's reference.
        self.running.get().map(|fiber| f(unsafe { fiber.as_ref() }))
    }

    /// A reference to the running fiber, if one runs.
    #[inline]
    pub(crate) fn running_ref(&self) -> Option<FiberRef> {
        // SAFETY: the running fiber holds the scheduler's reference, so it is live.
        self.running.get().map(|fiber| unsafe { FiberRef::acquire(fiber) })
    }

    /// The running fiber, uncounted.
    #[inline]
    pub(crate) fn running_raw(&self) -> Option<NonNull<Control>> {
        self.running.get()
    }

    /// Whether this worker has started the fiber, so that no other runs it.
    #[inline]
    pub(crate) fn is_home_of(&self, fiber: &Control) -> bool {
        ptr::eq(self.remote(), fiber.home())
    }

    pub(crate) fn is_running(&self, fiber: &FiberRef) -> bool {
        self.running.get().is_some_and(|running| fiber.is(running))
    }

    /// Whether the running fiber is inside a call of [`on_first_park`](crate::park::on_first_park) that has not fired.
    pub(crate) fn has_running_hook(&self) -> bool {
        // SAFETY: it runs on this thread.
        self.running(|fiber| unsafe { fiber.owned() }.hook.get().is_some()).unwrap_or(false)
    }

    /// Fires the hook of the running fiber, if it has one.
    #[cold]
    pub(crate) fn fire_running_hook() {
        if let Some(fiber) = Worker::with(|worker| worker?.running.get()) {
            // SAFETY: it runs on this thread, and holds the scheduler's reference.
            hook::fire(unsafe { &fiber.as_ref().owned().hook });
        }
    }

    /// Parks the running fiber until its token is given or `deadline` passes. `None` if no fiber runs on this thread.
    #[inline(always)] // See `fibra_fiber::suspend`.
    pub(crate) fn park_running(reason: Reason, deadline: Option<Instant>) -> Option<Wakeup> {
        let fiber = Worker::with(|worker| worker?.begin_park())?;
        // SAFETY: the running fiber holds the scheduler's reference until it ends, so through all of this function.
        let control = unsafe { fiber.as_ref() };
        // SAFETY: it runs on this thread, so this is its home worker.
        let owned = unsafe { control.owned() };
        if deadline.is_some_and(|deadline| deadline <= clock::now()) {
            Worker::undo_park();
            return Some(Wakeup::TimedOut);
        }
        check_innermost(owned);
        if !control.has_token() {
            hook::fire(&owned.hook);
        }
        owned.reason.set(reason);
        owned.timed_out.set(false);
        // Armed before parking: a token that comes in between is noticed, and the timer is disarmed below either way.
        if let Some(deadline) = deadline {
            // SAFETY: the node is in the control block, which outlives the park; it is not armed, since every park that
            // arms it disarms it.
            Worker::with_timers(|timers| unsafe { timers.arm(Control::timer(fiber), deadline) });
        }
        if control.try_park() {
            fibra_fiber::suspend();
            control.resumed();
        } else {
            Worker::undo_park();
        }
        if deadline.is_some() {
            // SAFETY: a node of this worker's timers: a fiber never changes its worker.
            Worker::with_timers(|timers| unsafe { timers.cancel(Control::timer(fiber)) });
        }
        Some(if owned.timed_out.get() { Wakeup::TimedOut } else { Wakeup::Unparked })
    }

    /// The running fiber, which is about to park: notes when, and counts it.
    #[inline]
    fn begin_park(&self) -> Option<NonNull<Control>> {
        let fiber = self.running.get()?;
        // SAFETY: it runs on this thread, and holds the scheduler's reference.
        let owned = unsafe { fiber.as_ref().owned() };
        owned.since.set(Some(self.pace.last_known_now()));
        owned.trimmed.set(false);
        bump(&self.counts.parks);
        Some(fiber)
    }

    /// The running fiber does not park after all.
    fn undo_park() {
        Worker::with(|worker| worker.map(|worker| worker.counts.parks.set(worker.counts.parks.get() - 1)));
    }

    /// Puts the running fiber at the back of the queue and runs the others first. `false` if no fiber runs here.
    #[inline(always)] // See `fibra_fiber::suspend`.
    pub(crate) fn yield_running() -> bool {
        let Some(fiber) = Worker::with(|worker| worker?.running.get()) else {
            return false;
        };
        // SAFETY: as in `park_running`.
        let owned = unsafe { fiber.as_ref().owned() };
        check_innermost(owned);
        hook::fire(&owned.hook);
        // SAFETY: the running fiber gives up running for this runnable, and switches away at once; nobody can take it
        // before, since only this worker reads the queue.
        let runnable = unsafe { Runnable::from_raw(fiber) };
        Worker::with(|worker| worker.map(|worker| worker.ready.borrow_mut().push_back(runnable)));
        fibra_fiber::suspend();
        true
    }

    fn with_timers(f: impl FnOnce(&mut Timers)) {
        Worker::with(|worker| worker.map(|worker| f(&mut worker.timers.borrow_mut())));
    }
}

/// What runs in a context of its own inside a fiber would suspend only that, while the whole fiber counts as parked.
#[inline]
fn check_innermost(owned: &Owned) {
    if fibra_fiber::innermost() != owned.context_id.get() {
        panic_nested();
    }
}

#[cold]
fn panic_nested() -> ! {
    panic!("a fiber cannot park inside a fibra_fiber::Context of its own: suspend that context instead");
}

/// Queues a fiber whose unpark the caller has won, on the fiber's own worker.
pub(crate) fn enqueue_woken(runnable: Runnable) {
    let home = runnable.control().home();
    Worker::with(|worker| match worker {
        Some(worker) if ptr::eq(worker.address, home) => {
            bump(&worker.counts.wakes);
            let mut ready = worker.ready.borrow_mut();
            // Woken by a fiber: likely to be waited for next. Woken by the driver or a timer: in turn.
            match worker.running.get() {
                Some(_) => ready.push_woken(runnable),
                None => ready.push_back(runnable),
            }
        }
        // SAFETY: the fiber has started, so `home` is set; and it has not ended, so its worker has not either, or has leaked what
        // this touches.
        _ => unsafe { Remote::deliver(home, runnable) },
    });
}
