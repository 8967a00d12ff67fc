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

mod reference;
mod runnable;
mod stage;

use std::cell::{Cell, UnsafeCell};
use std::mem::offset_of;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, Ordering};
use std::task::Waker;
use std::time::Instant;

use fibra_fiber::{Context, ContextId};
use parking_lot::Mutex;

use crate::FiberId;
use crate::cancel::Ambient;
use crate::hook::Hook;
use crate::local;
use crate::park::{Reason, Unparker};
use crate::scope::Membership;
use crate::timer;
use crate::worker::Remote;

pub(crate) use reference::FiberRef;
pub(crate) use runnable::Runnable;
use stage::Vtable;
pub(crate) use stage::{allocate, contain, take_result};

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

/// Who waits for a fiber's end.
pub(crate) enum Joiner {
    Unparker(Unparker),
    Waker(Waker),
}
