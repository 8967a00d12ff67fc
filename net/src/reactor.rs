//! The reactor: epoll (through mio) behind the scheduler's [`Driver`], one for each worker.
//!
//! ```text
//!   this worker's fibers            any thread
//!     │ register(fd)                  │ socket dropped         │ DriverWaker::wake
//!     ▼                               ▼                        ▼
//!   Local { slots } ◀── reclaim ── Handle { released, tally }  mio::Waker (eventfd)
//!     ▲ token → sides                                          │
//!   Reactor::poll ── epoll_wait ── events ─────────────────────┘
//! ```
//!
//! Invariants:
//! * Made, polled and dropped on its worker's thread; a thread-local finds it from there, so registering takes no lock that
//!   another worker could hold.
//! * Descriptors are registered once and edge-triggered. Closing a descriptor takes it out of epoll, so a dropped socket costs
//!   no system call beyond `close`; its slot comes back by way of `released`, from whichever thread.
//! * A reactor that is dropped orphans its sockets: they wake, and find another reactor when they next wait.

mod counters;
mod crew;
mod home;
mod interest;
mod slots;
#[cfg(feature = "tokio-io")]
mod wakers;

use std::cell::RefCell;
use std::io;
use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Duration;

use fibra_scheduler::driver::{Driver, DriverFactory, DriverWaker};
use mio::{Events, Poll, Registry, Token};
use parking_lot::Mutex;

pub use counters::Counters;

use crate::budget;
use crate::registration::{Registration, Tie};
use counters::Tally;
pub(crate) use crew::Errand;
use crew::{Crew, Errands};
pub(crate) use home::Home;
use home::Listed;
pub(crate) use interest::Interest;
use slots::Slots;
#[cfg(feature = "tokio-io")]
pub(crate) use wakers::wake;

/// How many events one `epoll_wait` takes at most; more stay in the kernel for the next. 12 KiB for each worker.
const EVENTS_PER_POLL: usize = 1024;

/// Of the waker; no slot ever has it (see [`Slots`]).
const WAKE: Token = Token(usize::MAX);

thread_local! {
    static CURRENT: RefCell<Option<Rc<Local>>> = const { RefCell::new(None) };
}

/// Makes a reactor for each worker of a runtime. The facade's runtime has it already.
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// use fibra_net::reactor::Factory;
///
/// fibra_scheduler::runtime::Builder::new(Factory::default()).run(|| println!("sockets park here"))
/// # }
/// ```
#[derive(Debug, Default)]
pub struct Factory {
    crew: Arc<Crew>,
}

/// For another runtime: the clone shares nothing.
impl Clone for Factory {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl DriverFactory for Factory {
    fn make(&self, _worker: usize) -> io::Result<Box<dyn Driver>> {
        Ok(Box::new(Reactor::new(Arc::clone(&self.crew))?))
    }
}

/// What the calling worker's reactor has done so far; `None` if this is no worker or has no reactor.
///
/// ```
/// assert!(fibra_net::reactor::counters().is_none(), "a plain thread has no reactor");
/// ```
#[must_use]
pub fn counters() -> Option<Counters> {
    with_current(|local| {
        local.reclaim();
        local.handle.tally.snapshot(local.slots.borrow().len())
    })
}

/// A reactor, to be told from others; does not keep it.
#[derive(Clone, Debug)]
pub(crate) struct Identity(Weak<Handle>);

impl Identity {
    pub(crate) fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0)
    }
}

/// The calling worker's reactor, if it has one.
pub(crate) fn current() -> Option<Identity> {
    with_current(|local| Identity(Arc::downgrade(&local.handle)))
}

/// Has `errand` run on each other worker of the calling worker's runtime, as soon as that worker looks outside.
pub(crate) fn send_others(errand: &Errand) {
    with_current(|local| local.crew.send_others(&local.handle, errand));
}

/// Has the calling worker's reactor report the events of `fd` to the socket of `registration`, to which `tie` leads.
///
/// # Errors
///
/// `Unsupported` if the calling worker has no reactor; else what `epoll_ctl` reports.
pub(crate) fn register(
    fd: BorrowedFd<'_>,
    registration: &Registration,
    tie: Tie,
    interest: Interest,
) -> io::Result<Home> {
    with_current(|local| local.register(fd, registration, tie, interest)).unwrap_or_else(|| {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this runtime's workers have no reactor: give its Builder a fibra_net::reactor::Factory (a seeded run has \
             none: sockets of the system are not deterministic)",
        ))
    })
}

/// Counts a system call of a fiber that only returned `EAGAIN`.
pub(crate) fn count_would_block() {
    with_current(|local| Tally::bump(&local.handle.tally.would_block));
}

fn with_current<R>(f: impl FnOnce(&Local) -> R) -> Option<R> {
    // `try_with`: a thread that is ending has no reactor.
    CURRENT.try_with(|current| current.borrow().as_deref().map(f)).ok().flatten()
}

/// What any thread may reach of a reactor, while it exists.
#[derive(Debug)]
struct Handle {
    registry: Registry,
    released: Mutex<Vec<u32>>,
    tally: Tally,
    waker: Waker,
    errands: Errands,
    /// Held while events are noted, and with that perhaps sockets.
    noting: Mutex<()>,
}

/// What only the reactor's own thread reaches.
#[derive(Debug)]
struct Local {
    handle: Arc<Handle>,
    /// How sockets know it.
    home: Listed,
    crew: Arc<Crew>,
    slots: RefCell<Slots>,
    /// Swapped with `released`, so that neither is allocated anew each time.
    reclaiming: RefCell<Vec<u32>>,
}

impl Local {
    fn register(
        &self,
        fd: BorrowedFd<'_>,
        registration: &Registration,
        tie: Tie,
        interest: Interest,
    ) -> io::Result<Home> {
        self.reclaim();
        let (slot, token) = self.slots.borrow_mut().insert(registration, tie)?;
        let added = interest.register(&self.handle.registry, fd, token);
        if let Err(error) = added {
            self.slots.borrow_mut().remove(slot);
            return Err(error);
        }
        Tally::bump(&self.handle.tally.registrations);
        Ok(self.home.home())
    }

    /// Frees the slots of dropped sockets.
    fn reclaim(&self) {
        let mut released = self.handle.released.lock();
        if released.is_empty() {
            return;
        }
        let mut reclaiming = self.reclaiming.borrow_mut();
        std::mem::swap(&mut *reclaiming, &mut *released);
        drop(released);
        let mut slots = self.slots.borrow_mut();
        for slot in reclaiming.drain(..) {
            slots.remove(slot);
        }
    }
}

/// A worker's driver. See the [module](self).
#[derive(Debug)]
struct Reactor {
    poll: Poll,
    events: Events,
    local: Rc<Local>,
}

impl Reactor {
    /// Makes the reactor of the calling thread, one of `crew`.
    fn new(crew: Arc<Crew>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let handle = Arc::new(Handle {
            registry: poll.registry().try_clone()?,
            released: Mutex::new(Vec::new()),
            tally: Tally::default(),
            waker: Waker(mio::Waker::new(poll.registry(), WAKE)?),
            errands: Errands::default(),
            noting: Mutex::default(),
        });
        crew.join(&handle);
        let home = Listed::new(&handle)?;
        let local = Rc::new(Local {
            handle,
            home,
            crew,
            slots: RefCell::new(Slots::new()),
            reclaiming: RefCell::new(Vec::new()),
        });
        CURRENT.set(Some(Rc::clone(&local)));
        Ok(Self { poll, events: Events::with_capacity(EVENTS_PER_POLL), local })
    }
}

impl Reactor {
    /// Tells sockets what has happened to them. Whether another thread has ended the poll.
    fn note_events(&self) -> bool {
        let Local { handle, slots, .. } = &*self.local;
        #[cfg(feature = "tokio-io")]
        let _held = wakers::hold_back();
        let _noting = handle.noting.lock();
        let mut woken = false;
        for event in &self.events {
            if event.token() == WAKE {
                Tally::bump(&handle.tally.wakes);
                woken = true;
                continue;
            }
            Tally::bump(&handle.tally.events);
            // None: the socket was dropped after the kernel had reported this. If it is dropped now, it is closed here.
            let registered = slots.borrow().get(event.token());
            if let Some(registered) = registered {
                registered.registration().sides().dispatch(interest::happening(event));
            }
        }
        woken
    }
}

impl Driver for Reactor {
    fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.local.reclaim();
        budget::renew();
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        Tally::bump(&self.local.handle.tally.polls);
        if !self.events.is_empty() && self.note_events() {
            self.local.handle.errands.run();
        }
        Ok(())
    }

    fn is_waiting(&self) -> bool {
        self.local.reclaim();
        self.local.slots.borrow().len() != 0
    }

    fn waker(&self) -> Arc<dyn DriverWaker> {
        Arc::clone(&self.local.handle) as Arc<dyn DriverWaker>
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        // Fails only while the thread ends, and then the thread-local is gone anyway.
        let _ = CURRENT.try_with(|current| {
            let mut current = current.borrow_mut();
            if current.as_ref().is_some_and(|current| Rc::ptr_eq(current, &self.local)) {
                *current = None;
            }
        });
        let ties = self.local.slots.borrow_mut().take_all();
        #[cfg(feature = "tokio-io")]
        let _held = wakers::hold_back();
        let _noting = self.local.handle.noting.lock();
        for registered in ties.filter_map(|tie| tie.get()) {
            registered.registration().sides().orphan();
        }
    }
}

/// Ends a poll by writing to the eventfd.
#[derive(Debug)]
struct Waker(mio::Waker);

impl DriverWaker for Handle {
    fn wake(&self) {
        self.waker.wake();
    }
}

impl Waker {
    fn wake(&self) {
        // mio handles a full counter; nothing else can go wrong with an eventfd that is open, and this one is.
        let _ = self.0.wake();
    }
}
