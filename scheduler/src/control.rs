//! The control block: everything about one fiber except its stack. One allocation a spawn.
//!
//! ```text
//!   Typed<F, T>
//!   ├── Control          what wakers, queues and the worker use; knows neither F nor T
//!   │     token            EMPTY ⇄ NOTIFIED, EMPTY → PARKED → NOTIFIED        any thread
//!   │     ending           DONE | DETACHED | JOINER                           any thread
//!   │     home             the worker that started it; null until then        any thread
//!   │     owned            context, timer, reason, hook                       home worker only
//!   └── stage            closure → running → result → empty                   see `stage`
//! ```
//!
//! # Parking: three states, as in std's thread parker
//!
//! `park`: EMPTY → PARKED, then switch away; a token found instead (NOTIFIED → EMPTY) is consumed without parking.
//! `unpark`: swap in NOTIFIED; whoever finds PARKED has *won the fiber* and queues it. On resume the fiber swaps EMPTY
//! back in. While it waits in a queue the state is NOTIFIED, so further unparks merge, and each is an ordered write that the
//! resumed fiber's swap sees.
//!
//! # Who holds the fiber
//!
//! A started fiber is always in exactly one place: running, parked, or as a [`Runnable`] in a queue. A [`Runnable`] is the
//! right to run it, and carries the scheduler's one reference. Parking lays that reference down; winning an unpark or a
//! timer picks it up. So queues need no reference counting, and a fiber cannot be queued twice.
//!
//! # Lifetime
//!
//! References: the scheduler's one, the join handle's one, and one an [`Unparker`](crate::park::Unparker). The last frees the
//! memory, on any thread; by then the stage is empty, so nothing of the user's is dropped there.

mod stage;

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::mem::offset_of;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, Ordering, fence};
use std::task::Waker;
use std::time::Instant;

use fibra_fiber::{Context, ContextId};
use parking_lot::Mutex;

use crate::FiberId;
use crate::cancel::{Ambient, Interrupted};
use crate::hook::Hook;
use crate::local;
use crate::park::{Reason, Unparker};
use crate::scope::Membership;
use crate::timer;
use crate::worker::Remote;

use stage::Vtable;
pub(crate) use stage::{allocate, contain, take_result};

/// More references than this, and the count might wrap before every thread has noticed.
const REFS_MAX: u32 = u32::MAX / 2;

/// Where the timer node lies in a control block.
const TIMER_OFFSET: usize = offset_of!(Control, owned) + offset_of!(Owned, timer);

/// Neither parked nor holding a token.
const EMPTY: u8 = 0;
/// Holds a token: the next park returns at once; or, if it was parked, it is on its way to run.
const NOTIFIED: u8 = 1;
/// Parked: not in any queue.
const PARKED: u8 = 2;

/// `ending`: the result is there (or was dropped).
const DONE: u8 = 1;
/// `ending`: no handle will ask for the result.
const DETACHED: u8 = 2;
/// `ending`: `joiner` is set.
const JOINER: u8 = 4;

/// See the [module](self).
#[repr(C)]
pub(crate) struct Control {
    /// The next node of the inbox that this fiber is in.
    pub(crate) link: AtomicPtr<Control>,
    /// The worker that started this fiber and is the only one to run it.
    home: AtomicPtr<Remote>,
    vtable: &'static Vtable,
    refs: AtomicU32,
    token: AtomicU8,
    ending: AtomicU8,
    cancelled: AtomicBool,
    /// Set by the handle, then JOINER; taken by the fiber once it has set DONE and seen JOINER.
    joiner: Mutex<Option<Joiner>>,
    owned: Owned,
    pub(crate) origin: Origin,
}

/// What only the home worker's thread touches (for a fiber that has not started: only who holds its [`Runnable`]).
pub(crate) struct Owned {
    pub(crate) context: UnsafeCell<Option<Context>>,
    pub(crate) timer: timer::Node,
    /// Set by the timer that ended the last park.
    pub(crate) timed_out: Cell<bool>,
    /// What its last park waited for.
    pub(crate) reason: Cell<Reason>,
    /// When its last park began, as the worker then knew the time: right to about 100 us while the worker is busy. Reading a
    /// clock at every park would cost more than the park.
    pub(crate) since: Cell<Option<Instant>>,
    /// Whether the memory below it was given back during this park.
    pub(crate) trimmed: Cell<bool>,
    /// Its deadline, and whether it is shielded from cancellation.
    pub(crate) ambient: Ambient,
    /// The scope that waits for this fiber's end.
    pub(crate) scope: Cell<Option<Membership>>,
    /// The values of `fiber_local!` keys.
    pub(crate) locals: local::Locals,
    /// Called before the fiber next switches away; see [`on_first_park`](crate::park::on_first_park).
    pub(crate) hook: Cell<Option<NonNull<Hook>>>,
    /// The fiber's own context, once it runs: only that may be parked.
    pub(crate) context_id: Cell<Option<ContextId>>,
    /// The addresses of its stack's guard; (0, 0) before it has one.
    pub(crate) guard: Cell<(usize, usize)>,
    /// Where the worker lists this fiber among its live ones.
    pub(crate) live_key: Cell<usize>,
}

/// Where a fiber comes from; never changes.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) id: FiberId,
    pub(crate) name: Option<Box<str>>,
    pub(crate) spawned_at: &'static Location<'static>,
    pub(crate) stack_size: usize,
}

/// What a fiber has from the one that spawns it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Inherited {
    pub(crate) deadline: Option<Instant>,
    pub(crate) cancelled: bool,
}

impl Control {
    #[inline(always)] // Into the place where it stays.
    fn new(vtable: &'static Vtable, origin: Origin, inherited: Inherited) -> Self {
        Control {
            link: AtomicPtr::default(),
            home: AtomicPtr::default(),
            vtable,
            refs: AtomicU32::new(2), // the scheduler's and the handle's
            token: AtomicU8::new(EMPTY),
            ending: AtomicU8::new(0),
            cancelled: AtomicBool::new(inherited.cancelled),
            joiner: Mutex::new(None),
            owned: Owned {
                context: UnsafeCell::new(None),
                timer: timer::Node::default(),
                timed_out: Cell::new(false),
                reason: Cell::new(Reason::Parked),
                since: Cell::new(None),
                trimmed: Cell::new(false),
                ambient: Ambient::inherited(inherited.deadline),
                scope: Cell::new(None),
                locals: local::Locals::default(),
                hook: Cell::new(None),
                context_id: Cell::new(None),
                guard: Cell::new((0, 0)),
                live_key: Cell::new(usize::MAX),
            },
            origin,
        }
    }

    /// What belongs to the home worker.
    ///
    /// # Safety
    ///
    /// The caller is on the home worker's thread, or holds the runnable of a fiber that has not started.
    #[inline]
    pub(crate) unsafe fn owned(&self) -> &Owned {
        &self.owned
    }

    /// The worker that started this fiber; null before.
    #[inline]
    pub(crate) fn home(&self) -> *const Remote {
        self.home.load(Ordering::Relaxed)
    }

    /// Pins the fiber: called once, by the worker that starts it.
    pub(crate) fn settle(&self, home: &Remote) {
        // Relaxed: a waker reads it only after it saw PARKED, which the fiber stores with release later.
        self.home.store(std::ptr::from_ref(home).cast_mut(), Ordering::Relaxed);
    }

    /// Whether parking now would return at once.
    #[inline]
    pub(crate) fn has_token(&self) -> bool {
        self.token.load(Ordering::Relaxed) == NOTIFIED
    }

    /// Whether the fiber waits for its token.
    pub(crate) fn is_parked(&self) -> bool {
        self.token.load(Ordering::Relaxed) == PARKED
    }

    /// The fiber's half of parking. `true`: parked, switch away now; `false`: a token was there and is consumed.
    #[inline]
    pub(crate) fn try_park(&self) -> bool {
        if self.token.compare_exchange(EMPTY, PARKED, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            return true;
        }
        self.resumed();
        false
    }

    /// Consumes the token; what its giver did before is visible afterwards.
    #[inline]
    pub(crate) fn resumed(&self) {
        self.token.swap(EMPTY, Ordering::Acquire);
    }

    /// As [`cancel`](FiberRef::cancel), for a fiber that is just about to start.
    pub(crate) fn cancel_unstarted(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    /// Whether [`cancel`](FiberRef::cancel) was called.
    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// The timer node of a fiber. By address, not through a reference, so that [`from_timer`](Control::from_timer) may go back.
    #[inline]
    pub(crate) fn timer(this: NonNull<Control>) -> NonNull<timer::Node> {
        // SAFETY: a field of a live control block lies within its allocation.
        unsafe { this.byte_add(TIMER_OFFSET) }.cast()
    }

    /// The fiber that a timer node belongs to.
    #[inline]
    pub(crate) fn from_timer(node: NonNull<timer::Node>) -> NonNull<Control> {
        // SAFETY: nodes exist only inside control blocks, and `timer` made the pointer from one.
        unsafe { node.byte_sub(TIMER_OFFSET) }.cast()
    }

    /// Gives the fiber its token, and queues it on its worker if it was parked.
    ///
    /// # Safety
    ///
    /// `this` points to a control block that stays live through this call.
    #[inline]
    pub(crate) unsafe fn unpark(this: NonNull<Control>) {
        // SAFETY: live, as the caller says.
        if unsafe { this.as_ref() }.token.swap(NOTIFIED, Ordering::AcqRel) == PARKED {
            // SAFETY: the swap took the fiber out of PARKED, so its reference is ours to pick up.
            crate::worker::enqueue_woken(unsafe { Runnable::from_raw(this) });
        }
    }

    /// The home worker's timer for this fiber has expired: picks the fiber up if it is still parked.
    ///
    /// # Safety
    ///
    /// On the home worker's thread; `this` points to a live control block.
    pub(crate) unsafe fn expire(this: NonNull<Control>) -> Option<Runnable> {
        // SAFETY: live, as the caller says.
        let control = unsafe { this.as_ref() };
        control.token.compare_exchange(PARKED, NOTIFIED, Ordering::AcqRel, Ordering::Relaxed).ok()?;
        control.owned.timed_out.set(true);
        // SAFETY: the exchange took the fiber out of PARKED, so its reference is ours to pick up.
        Some(unsafe { Runnable::from_raw(this) })
    }
}

/// A counted reference to a control block: keeps the memory, not the fiber, alive.
pub(crate) struct FiberRef(NonNull<Control>);

// SAFETY: what a reference reaches from another thread is atomic, or guarded by `ending` (see `joiner` and `stage`).
unsafe impl Send for FiberRef {}
// SAFETY: as above; no method relies on being called by one thread only unless it is unsafe and says so.
unsafe impl Sync for FiberRef {}

impl FiberRef {
    /// A reference of one's own to a fiber that is known to be live.
    ///
    /// # Safety
    ///
    /// `control` points to a live control block.
    #[inline]
    pub(crate) unsafe fn acquire(control: NonNull<Control>) -> Self {
        // SAFETY: live, as the caller says. Relaxed: a new reference comes from an existing one.
        let before = unsafe { control.as_ref() }.refs.fetch_add(1, Ordering::Relaxed);
        if before > REFS_MAX {
            // Only by leaking references in a loop; as in Arc.
            std::process::abort();
        }
        FiberRef(control)
    }

    pub(crate) fn control(&self) -> &Control {
        // SAFETY: the count that we hold keeps it allocated.
        unsafe { self.0.as_ref() }
    }

    /// The reference as a pointer, to be put together by [`from_note`](FiberRef::from_note).
    pub(crate) fn into_note(self) -> *mut () {
        std::mem::ManuallyDrop::new(self).0.as_ptr().cast()
    }

    /// # Safety
    ///
    /// `note` is null or came from [`into_note`](FiberRef::into_note), and is used once.
    pub(crate) unsafe fn from_note(note: *mut ()) -> Option<Self> {
        NonNull::new(note.cast()).map(FiberRef)
    }

    /// Whether both are the same fiber.
    pub(crate) fn is(&self, other: NonNull<Control>) -> bool {
        self.0 == other
    }

    /// Gives the fiber its token, and queues it on its worker if it was parked.
    #[inline]
    pub(crate) fn unpark(&self) {
        // SAFETY: the count that we hold keeps it allocated.
        unsafe { Control::unpark(self.0) };
    }

    /// Asks the fiber to end: every wait of its own fails from now on.
    pub(crate) fn cancel(&self) {
        self.control().cancelled.store(true, Ordering::Release);
        self.unpark();
    }

    /// Whether the fiber has ended.
    pub(crate) fn is_finished(&self) -> bool {
        self.control().ending.load(Ordering::Acquire) & DONE != 0
    }

    /// Names who is to be woken when the fiber ends, in the place of who was named before. `false`: it has ended already, nobody
    /// will be.
    pub(crate) fn set_joiner(&self, joiner: Joiner) -> bool {
        let control = self.control();
        // Dropped behind the lock: it may be a waker of the user's.
        let _previous = control.joiner.lock().replace(joiner);
        control.ending.fetch_or(JOINER, Ordering::AcqRel) & DONE == 0
    }

    /// The handle is gone: whoever comes second, this or the end of the fiber, drops the result. Returns whether this did, and the
    /// result was a panic.
    ///
    /// # Safety
    ///
    /// Called at most once a fiber, by the owner of its handle, instead of taking the result, on a thread where the
    /// result may be dropped.
    pub(crate) unsafe fn detach(&self) -> bool {
        let is_done = self.control().ending.fetch_or(DETACHED, Ordering::AcqRel) & DONE != 0;
        // SAFETY: if the fiber is done, then since the handle will not ask, the stage is ours.
        is_done && unsafe { (self.control().vtable.discard)(self.0) }
    }

    fn as_ptr(&self) -> NonNull<Control> {
        self.0
    }
}

impl Clone for FiberRef {
    fn clone(&self) -> Self {
        // SAFETY: we hold a count.
        unsafe { FiberRef::acquire(self.0) }
    }
}

impl Drop for FiberRef {
    #[inline]
    fn drop(&mut self) {
        // As in Arc: release our writes to whoever frees, acquire everyone's before freeing.
        // Who holds the only reference has no rival: a further one would have to come from it. That spares a locked operation.
        let refs = &self.control().refs;
        if refs.load(Ordering::Acquire) == 1 || refs.fetch_sub(1, Ordering::Release) == 1 {
            fence(Ordering::Acquire);
            // SAFETY: that was the last reference.
            unsafe { (self.control().vtable.free)(self.0) };
        }
    }
}

/// Who waits for a fiber's end.
pub(crate) enum Joiner {
    Unparker(Unparker),
    Waker(Waker),
}

/// The right to run a fiber: it is in no queue, not running, not parked. Carries the scheduler's reference.
#[derive(Debug)]
pub(crate) struct Runnable(NonNull<Control>);

// SAFETY: a runnable that crosses threads is either fresh (its closure is Send, or it was put into its own worker's queue) or
// on its way to its home worker through the inbox.
unsafe impl Send for Runnable {}

impl Runnable {
    /// # Safety
    ///
    /// The caller has the right to run the fiber and gives it up for this value.
    #[inline]
    pub(crate) unsafe fn from_raw(control: NonNull<Control>) -> Self {
        Runnable(control)
    }

    #[inline]
    pub(crate) fn into_raw(self) -> NonNull<Control> {
        self.0
    }

    #[inline]
    pub(crate) fn control(&self) -> &Control {
        // SAFETY: the scheduler's reference, which we carry, keeps it allocated.
        unsafe { self.0.as_ref() }
    }

    /// A reference that keeps the control block.
    pub(crate) fn reference(&self) -> FiberRef {
        // SAFETY: the scheduler's reference, which we carry, keeps it allocated.
        unsafe { FiberRef::acquire(self.0) }
    }

    /// What a fiber that has a stack now runs: its closure, to the end; or, if it comes too late, its refusal.
    pub(crate) fn entry(&self, refused: bool) -> impl FnOnce() + 'static {
        let control = self.0;
        move || {
            // SAFETY: the scheduler's reference outlives the context that this runs in.
            let this = unsafe { control.as_ref() };
            // SAFETY: the fiber runs, on this thread.
            let owned = unsafe { this.owned() };
            owned.context_id.set(fibra_fiber::innermost());
            if refused {
                // SAFETY: runs once, so the stage still holds the closure.
                unsafe { (this.vtable.refuse)(control, Box::new(Interrupted::Cancelled)) };
            } else {
                // SAFETY: as above.
                unsafe { (this.vtable.run)(control) };
            }
            owned.locals.close();
            // SAFETY: the stage holds the result.
            unsafe { finish(control) };
        }
    }

    /// Ends a fiber that never ran and has no stack to run on: its closure is dropped here, and its join returns `payload`.
    pub(crate) fn refuse(self, payload: Box<dyn Any + Send>) {
        debug_assert!(self.control().home().is_null());
        // SAFETY: never ran, so the stage holds the closure, and we hold the fiber.
        unsafe { (self.control().vtable.refuse)(self.0, payload) };
        // SAFETY: the stage holds a result now.
        unsafe { finish(self.0) };
        // SAFETY: the fiber has ended: the scheduler's reference has served its purpose.
        drop(unsafe { self.release() });
    }

    /// Gives a fiber up that will never run (again): who joins it is told that it was cancelled; all else of it is leaked. One
    /// whose scope waits for it keeps its joiners waiting, since they may borrow from it.
    ///
    /// # Safety
    ///
    /// Nobody will resume the fiber.
    pub(crate) unsafe fn abandon(control: NonNull<Control>) {
        // SAFETY: leaked from here on, so it stays allocated.
        let this = unsafe { control.as_ref() };
        // SAFETY: nobody resumes it, so nobody else touches what is its worker's.
        let scope = &unsafe { this.owned() }.scope;
        if let Some(membership) = scope.take() {
            scope.set(Some(membership));
            return;
        }
        // SAFETY: it does not run, so the stage is free for a result.
        unsafe { (this.vtable.abandon)(control, Box::new(Interrupted::Cancelled)) };
        // SAFETY: the stage holds a result.
        unsafe { finish(control) };
    }

    /// The scheduler's reference, to be dropped.
    ///
    /// # Safety
    ///
    /// The fiber has ended.
    pub(crate) unsafe fn release(self) -> FiberRef {
        FiberRef(self.0)
    }
}

/// Publishes the result: unparks who joins, or drops it if nobody will.
///
/// # Safety
///
/// Called once, by who runs (or refuses) the fiber, when the stage holds the result.
unsafe fn finish(control: NonNull<Control>) {
    // SAFETY: the scheduler's reference is held by the caller.
    let this = unsafe { control.as_ref() };
    let before = this.ending.fetch_or(DONE, Ordering::AcqRel);
    let mut panicked = false;
    if before & DETACHED != 0 {
        // SAFETY: done and detached, and we came second: the stage is ours.
        panicked = unsafe { (this.vtable.discard)(control) };
    } else if before & JOINER != 0 {
        let joiner = this.joiner.lock().take();
        match joiner {
            Some(Joiner::Unparker(joiner)) => joiner.unpark(),
            Some(Joiner::Waker(waker)) => waker.wake(),
            None => {}
        }
    }
    // Last, for what the closure and the result have borrowed: from here on the scope may end.
    // SAFETY: the caller runs (or refuses) the fiber.
    if let Some(membership) = unsafe { this.owned() }.scope.take() {
        membership.end(panicked);
    }
}
