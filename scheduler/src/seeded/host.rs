//! Hosts: groups of a seeded run's fibers that have one clock, are paused together, and crash together.
//!
//! ```text
//!   Host::boot ─▶ up ◀── pause, resume ──▶ paused: its fibers are not run, its timers wait, time goes on
//!                  └─────────┬────────────────┘
//!                          crash ─▶ crashed: its fibers run only to their ends, before any other
//! ```
//!
//! A [`Host`] is one life of a machine: what comes after a crash is another one. A fiber belongs to the host of the one that spawned it.
//!
//! Invariants:
//! * From the crash on each wait of its fibers fails, also inside a [`shield`](crate::cancel::shield), and what they spawn is never run.
//!   (What has an effect elsewhere, a socket or a disk, asks [`Host::is_up`].)
//! * A crash ends in a bounded number of turns: who has not ended by then never runs again, and is leaked when the run ends.
//! * What is kept here is the thread's; nothing here is looked at on the way of a park or a spawn outside of a seeded run.

use std::cell::{Cell, RefCell};
use std::io;
use std::num::NonZero;
use std::panic::Location;

use super::Skew;
use crate::JoinHandle;
use crate::cancel;
use crate::control::Control;
use crate::park::{self, Reason};
use crate::spawn::{Builder, FiberId};
use crate::worker::Worker;

/// How many turns the fibers of a crashed host have between them to come to their ends.
const TURNS_TO_END: u64 = 100_000;

/// How many waits a fiber of a crashed host may begin within one turn: one that tries again for ever would hold up the run.
const WAITS_TO_END: u64 = 10_000;

/// One life of a machine in a [seeded](crate::seeded) run. See the [module](crate::seeded#hosts).
///
/// ```
/// use std::time::Duration;
/// use fibra_scheduler::seeded::{Host, Skew};
/// use fibra_scheduler::{Builder, driver, runtime, sleep};
///
/// runtime::Builder::new(driver::idle).seed(7).run(|| -> std::io::Result<()> {
///     let host = Host::boot(Skew::default());
///     let fiber = host.spawn(Builder::new(), || sleep(Duration::from_secs(3600)))?;
///     sleep(Duration::from_secs(1))?;
///     host.crash();
///     assert!(fiber.join().unwrap().is_err());
///     assert_eq!((host.is_up(), host.fibers()), (false, 0));
///     Ok(())
/// })??;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host(NonZero<u32>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Up,
    Paused,
    Crashed,
}

#[derive(Debug)]
struct Life {
    state: State,
    skew: Skew,
    /// Fibers that have started and not ended.
    fibers: u64,
    /// Turns that it has had since the crash.
    turns: u64,
}

/// The hosts of the run on this thread.
#[derive(Debug, Default)]
struct Hosts {
    lives: Vec<Life>,
    /// Fibers that are not to belong to their spawner's host, until the loop has seen them.
    placed: Vec<(FiberId, Host)>,
    crashed: Vec<Host>,
}

thread_local! {
    static HOSTS: RefCell<Hosts> = RefCell::default();
    /// The host of the fiber that runs.
    static CURRENT: Cell<Option<Host>> = const { Cell::new(None) };
    /// Whether the loop has to sort its fibers anew.
    static CHANGED: Cell<bool> = const { Cell::new(false) };
    /// How many waits the running fiber has begun in vain since its turn came.
    static REFUSED: Cell<u64> = const { Cell::new(0) };
}

impl Host {
    /// A new host, without fibers.
    ///
    /// # Panics
    ///
    /// Outside of a seeded run; for a drift that would stop the clock.
    pub fn boot(skew: Skew) -> Self {
        assert!(crate::clock::is_virtual(), "hosts exist in seeded runs only");
        assert!(skew.drift > -1_000_000, "a clock that stands still, or goes backwards");
        HOSTS.with_borrow_mut(|hosts| {
            hosts.lives.push(Life { state: State::Up, skew, fibers: 0, turns: 0 });
            Host(u32::try_from(hosts.lives.len()).ok().and_then(NonZero::new).expect("fewer than 2^32 hosts a run"))
        })
    }

    /// The host of the fiber that runs; `None` for a fiber of no host, and outside of a seeded run.
    #[inline]
    pub fn current() -> Option<Self> {
        CURRENT.get()
    }

    /// Spawns a fiber of this host.
    ///
    /// # Errors
    ///
    /// As [`Builder::spawn_local`].
    #[track_caller]
    pub fn spawn<F, T>(self, builder: Builder, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        let spawned_at = Location::caller();
        // Nothing of the caller's holds on another machine.
        let handle = cancel::shield(|| builder.spawn_here(spawned_at, f))?;
        HOSTS.with_borrow_mut(|hosts| hosts.placed.push((handle.id(), self)));
        Ok(handle)
    }

    /// Stops running its fibers, until [`resume`](Host::resume). Time goes on: what they wait for may be long over then. A fiber that
    /// pauses its own host goes on until it next waits.
    pub fn pause(self) {
        self.change(State::Up, State::Paused);
    }

    /// Runs the fibers of a paused host again.
    pub fn resume(self) {
        self.change(State::Paused, State::Up);
    }

    /// Ends the host: from this instant on its fibers only unwind. A fiber that crashes its own host goes on until it next waits, which
    /// fails.
    pub fn crash(self) {
        HOSTS.with_borrow_mut(|hosts| {
            if std::mem::replace(&mut hosts.life(self).state, State::Crashed) != State::Crashed {
                hosts.crashed.push(self);
                CHANGED.set(true);
            }
        });
        if CURRENT.get() == Some(self) {
            Worker::with(|worker| worker?.running(Control::cancel_awake));
        }
    }

    fn change(self, from: State, to: State) {
        HOSTS.with_borrow_mut(|hosts| {
            let state = &mut hosts.life(self).state;
            if *state == from {
                *state = to;
                CHANGED.set(true);
            }
        });
    }

    /// Whether it has not crashed.
    #[inline]
    pub fn is_up(self) -> bool {
        self.state() != State::Crashed
    }

    /// Whether its fibers are not run for now.
    pub fn is_paused(self) -> bool {
        self.state() == State::Paused
    }

    /// How many fibers of it have started and not ended. After a crash: who is still to unwind, or will not.
    pub fn fibers(self) -> u64 {
        HOSTS.with_borrow(|hosts| hosts.lives.get(self.index()).map_or(0, |life| life.fibers))
    }

    pub(super) fn state(self) -> State {
        HOSTS.with_borrow(|hosts| hosts.lives.get(self.index()).map_or(State::Crashed, |life| life.state))
    }

    pub(crate) fn skew(self) -> Skew {
        HOSTS.with_borrow(|hosts| hosts.lives.get(self.index()).map_or(Skew::default(), |life| life.skew))
    }

    /// A fiber of it has started, or ended.
    pub(crate) fn count(self, started: bool) {
        HOSTS.with_borrow_mut(|hosts| {
            let fibers = &mut hosts.life(self).fibers;
            *fibers = if started { *fibers + 1 } else { *fibers - 1 };
        });
    }

    /// Whether its crash has taken too many turns already; this is one more.
    pub(super) fn is_past_hope(self) -> bool {
        HOSTS.with_borrow_mut(|hosts| {
            let turns = &mut hosts.life(self).turns;
            *turns += 1;
            *turns > TURNS_TO_END
        })
    }

    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

impl Hosts {
    fn life(&mut self, host: Host) -> &mut Life {
        // A host of another run, which is over, is none of this one's.
        self.lives.get_mut(host.index()).expect("a host is used in its own run")
    }
}

/// The hosts of a run, as long as it lives.
#[derive(Debug)]
pub(crate) struct Scope(());

impl Scope {
    pub(super) fn begin() -> Self {
        Scope(())
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        HOSTS.with_borrow_mut(|hosts| *hosts = Hosts::default());
        CURRENT.set(None);
        CHANGED.set(false);
    }
}

/// The turn of a fiber of `host` begins.
pub(crate) fn enter(host: Option<Host>) {
    CURRENT.set(host);
    REFUSED.set(0);
}

/// Whether a host has been paused, resumed or has crashed since this was last asked.
pub(crate) fn have_changed() -> bool {
    CHANGED.replace(false)
}

/// The hosts that have crashed since this was last asked.
pub(crate) fn take_crashed() -> Vec<Host> {
    HOSTS.with_borrow_mut(|hosts| std::mem::take(&mut hosts.crashed))
}

/// Whose a new fiber is that a fiber of `spawner` has spawned.
pub(crate) fn host_of(fiber: FiberId, spawner: Option<Host>) -> Option<Host> {
    HOSTS.with_borrow_mut(|hosts| match hosts.placed.iter().position(|&(placed, _)| placed == fiber) {
        Some(place) => Some(hosts.placed.swap_remove(place).1),
        None => spawner,
    })
}

/// A cancelled fiber is about to wait. Whether it may not, whatever shields it: its host has crashed.
///
/// Does not return to a fiber that goes on and on in spite of that.
#[cold]
pub(crate) fn refuse() -> bool {
    if CURRENT.get().is_none_or(Host::is_up) {
        return false;
    }
    REFUSED.set(REFUSED.get() + 1);
    if REFUSED.get() > WAITS_TO_END {
        tracing::warn!(fiber = ?crate::current().map(|fiber| fiber.id()), "a fiber of a crashed host does not end: it is leaked");
        loop {
            park::park(Reason::Parked);
        }
    }
    true
}
