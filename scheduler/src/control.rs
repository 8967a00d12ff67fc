//! The control block: everything about one fiber except its stack. One block a spawn.
//!
//! ```text
//!   Typed<F, T>
//!   ├── Control          what wakers, queues and the worker use; knows neither F nor T
//!   │     home             the worker that alone runs it; null: any may start it
//!   │     asks             other threads' wish that it be unparked            any thread
//!   │     ending           how its end meets its handle                       fiber and handle
//!   │     owned            token, context, timer, reason, hook                home worker only
//!   └── stage            closure → running → result → empty                   see `stage`
//! ```
//!
//! # Parking
//!
//! The fiber's [token] is its worker's own, a plain cell: what wakes it on its worker's thread takes it out of PARKED and queues it.
//! Others [ask] the worker, through its inbox, to do that.
//!
//! # Who holds the fiber
//!
//! A started fiber is always in exactly one place: running, parked, or as a [`Runnable`] in a queue. A [`Runnable`] is the
//! right to run it. Parking lays that down; who takes the fiber out of PARKED picks it up. So queues need no reference counting, and
//! a fiber cannot be queued twice.
//!
//! # Lifetime
//!
//! References: one that the fiber shares with its handle, see [ending]; and one an [`Unparker`](crate::park::Unparker). The last frees
//! the memory, on any thread; by then the stage is empty, so nothing of the user's is dropped there. A fiber that has not ended is
//! live, so whoever knows that much needs no reference to look at it.

mod ask;
mod ending;
mod handle;
mod heap;
mod layout;
#[cfg(all(loom, test))]
mod models;
mod reference;
mod runnable;
mod slot;
mod stage;
mod token;

use std::cell::Cell;
use std::mem::{ManuallyDrop, offset_of};
use std::panic::Location;
use std::ptr::NonNull;
use std::time::Instant;

use crate::FiberId;
use crate::ambient;
use crate::cancel::Ambient;
use crate::hook::Hook;
use crate::local;
use crate::park::Reason;
use crate::primitive::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use crate::scope::Membership;
use crate::stacks::Choice;
use crate::timer;
use crate::worker::{Remote, Worker};

use ask::Asks;
use ending::{Counterpart, Ending};
pub(crate) use handle::Handle;
pub(crate) use heap::{Heap, Lease};
pub(crate) use layout::FIELDS;
pub(crate) use reference::FiberRef;
pub(crate) use runnable::{Runnable, leave};
use slot::Slot;
use stage::{Vtable, take_result};
pub(crate) use stage::{allocate, contain};
use token::Token;

/// Where the timer node lies in a control block.
const TIMER_OFFSET: usize = offset_of!(Control, owned) + offset_of!(Owned, timer);

/// See the [module](self).
///
/// What a switch touches comes first, so that it shares a cache line.
#[repr(C)]
pub(crate) struct Control {
    /// The worker that has started this fiber, or that alone may; null: any may.
    home: AtomicPtr<Remote>,
    /// Never dropped: what could be is gone when the fiber has ended, and is leaked with a fiber that does not end.
    owned: ManuallyDrop<Owned>,
    /// The next node of the inbox, if this fiber is in one.
    pub(crate) link: AtomicPtr<Control>,
    vtable: &'static Vtable,
    /// Where its memory comes from.
    place: heap::Place,
    refs: AtomicU32,
    asks: Asks,
    cancelled: AtomicBool,
    ending: Ending,
    pub(crate) origin: Origin,
}

/// What only the home worker's thread touches (for a fiber that has not started: only who holds its [`Runnable`]).
#[repr(C)]
pub(crate) struct Owned {
    /// The next fiber in its worker's ready queue.
    pub(crate) next: Cell<Option<NonNull<Control>>>,
    /// Called before the fiber next switches away; see [`on_first_park`](crate::park::on_first_park).
    pub(crate) hook: Cell<Option<NonNull<Hook>>>,
    pub(crate) token: Token,
    /// Set by the timer that ended the last park.
    pub(crate) timed_out: Cell<bool>,
    /// Whether the memory below it was given back during this park.
    pub(crate) trimmed: Cell<bool>,
    /// Whether it is measured how much of its stack it uses.
    pub(crate) choice: Cell<Choice>,
    /// Whether the inbox still holds the fiber, with a reference of its own, though it has ended.
    pub(crate) is_owed: Cell<bool>,
    /// Whether it has ended with a reference to itself that is its own to give up.
    outstays: Cell<bool>,
    pub(crate) context: Slot,
    /// What its last park waited for.
    pub(crate) reason: Cell<Reason>,
    /// When its last park began, in nanoseconds of its worker's [`Pace`](crate::worker), as the worker then knew the time: right
    /// to about 100 us while the worker is busy. Reading a clock at every park would cost more than the park.
    pub(crate) since: Cell<u64>,
    /// Its deadline, and whether it is shielded from cancellation.
    pub(crate) ambient: Ambient,
    pub(crate) timer: timer::Node,
    /// The scope that waits for this fiber's end.
    pub(crate) scope: Cell<Option<Membership>>,
    /// The innermost of its [ambient values](crate::ambient).
    pub(crate) ambient_values: ambient::Slot,
    /// The values of `fiber_local!` keys.
    pub(crate) locals: local::Locals,
    /// Where its stack's guard ends and the usable part begins; 0 before it has one.
    pub(crate) guard_end: Cell<usize>,
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
    fn new(
        vtable: &'static Vtable,
        place: heap::Place,
        home: *const Remote,
        origin: Origin,
        inherited: Inherited,
    ) -> Self {
        Control {
            link: AtomicPtr::default(),
            home: AtomicPtr::new(home.cast_mut()),
            vtable,
            place,
            refs: AtomicU32::new(1), // shared by the fiber and its handle
            asks: Asks::new(!home.is_null()),
            cancelled: AtomicBool::new(inherited.cancelled),
            ending: Ending::new(),
            owned: ManuallyDrop::new(Owned {
                token: Token::new(),
                next: Cell::new(None),
                context: Slot::empty(),
                timer: timer::Node::default(),
                timed_out: Cell::new(false),
                reason: Cell::new(Reason::Parked),
                since: Cell::new(0),
                trimmed: Cell::new(false),
                choice: Cell::new(Choice::No),
                ambient: Ambient::inherited(inherited.deadline),
                scope: Cell::new(None),
                ambient_values: Cell::new(None),
                locals: local::Locals::default(),
                hook: Cell::new(None),
                is_owed: Cell::new(false),
                outstays: Cell::new(false),
                guard_end: Cell::new(0),
                live_key: Cell::new(usize::MAX),
            }),
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

    /// The worker that has started this fiber, or that alone may; null: any may.
    #[inline]
    pub(crate) fn home(&self) -> *const Remote {
        self.home.load(Ordering::Relaxed)
    }

    /// Pins a fiber that any worker could have started to the one that does.
    #[inline]
    pub(crate) fn settle(&self, home: *const Remote) {
        if self.home().is_null() {
            // Relaxed: the next line releases it to those who ask; and whoever compares it with a worker of its own thread has stored
            // that itself.
            self.home.store(home.cast_mut(), Ordering::Relaxed);
            if self.asks.settle() {
                self.owned.token.give();
            }
        }
    }

    /// The inbox has been drained of the fiber.
    #[inline]
    pub(crate) fn drained(&self) {
        self.asks.drained();
    }

    /// Whether the caller runs on the fiber's own stack, and not in a [`fibra_fiber::Context`] inside it.
    ///
    /// # Safety
    ///
    /// The fiber runs, on this thread.
    #[inline]
    pub(crate) unsafe fn is_innermost(&self) -> bool {
        // SAFETY: it runs, so it has started and not ended.
        unsafe { self.owned.context.get_unchecked() }.is_innermost()
    }

    /// As [`cancel`](FiberRef::cancel), for a fiber that does not wait: it is just about to start, or runs on this thread.
    pub(crate) fn cancel_awake(&self) {
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

    /// Asks the fiber to end: every wait of its own fails from now on.
    ///
    /// # Safety
    ///
    /// `this` points to a control block that stays live through this call.
    pub(crate) unsafe fn cancel(this: NonNull<Control>) {
        // SAFETY: live, as the caller says.
        unsafe { this.as_ref() }.cancelled.store(true, Ordering::Release);
        // SAFETY: as above.
        unsafe { Control::unpark(this) };
    }

    /// Gives the fiber its token, and queues it on its worker if it was parked.
    ///
    /// # Safety
    ///
    /// `this` points to a control block that stays live through this call.
    #[inline]
    pub(crate) unsafe fn unpark(this: NonNull<Control>) {
        // SAFETY: live, as the caller says.
        let is_done = Worker::with(|worker| worker.is_some_and(|worker| unsafe { worker.wake(this) }));
        if !is_done {
            // SAFETY: as above.
            unsafe { Control::ask(this) };
        }
    }

    /// As [`unpark`](Control::unpark), behind all that are ready on its worker.
    ///
    /// # Safety
    ///
    /// As `unpark`.
    pub(crate) unsafe fn unpark_in_turn(this: NonNull<Control>) {
        // SAFETY: live, as the caller says.
        let is_done = Worker::with(|worker| worker.is_some_and(|worker| unsafe { worker.wake_in_turn(this) }));
        if !is_done {
            // SAFETY: as above.
            unsafe { Control::ask(this) };
        }
    }

    /// The home worker's timer for this fiber has expired: picks the fiber up if it is still parked.
    ///
    /// # Safety
    ///
    /// On the home worker's thread; `this` points to a live control block.
    pub(crate) unsafe fn expire(this: NonNull<Control>) -> Option<Runnable> {
        // SAFETY: live, as the caller says.
        let owned = unsafe { &this.as_ref().owned };
        if !owned.token.is_awaited() {
            return None;
        }
        owned.token.give();
        owned.timed_out.set(true);
        // SAFETY: it was parked, and we have taken it out of that, so its reference is ours to pick up.
        Some(unsafe { Runnable::from_raw(this) })
    }
}
