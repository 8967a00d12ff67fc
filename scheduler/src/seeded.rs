//! Seeded runs: the same program and the same seed give the same run, switch by switch.
//!
//! ```text
//!   runtime::Builder::seed(7).run_traced(f)
//!      one worker: the calling thread
//!      order       which of the ready fibers runs next: drawn from the seed          seeded/order.rs
//!      time        virtual: a step at each switch, a jump when all wait              clock.rs
//!      trace       a hash over every switch, to tell runs apart                      seeded/trace.rs
//! ```
//!
//! ```
//! use std::time::Duration;
//! use fibra_scheduler::{clock, driver, runtime, sleep, spawn};
//!
//! let race = || {
//!     let winners = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
//!     let fibers: Vec<_> = (0..5).map(|n| {
//!         let winners = winners.clone();
//!         spawn(move || winners.lock().unwrap().push(n))
//!     }).collect();
//!     fibers.into_iter().for_each(|fiber| fiber.join().unwrap());
//!     sleep(Duration::from_secs(3600)).unwrap(); // takes no time at all
//!     std::mem::take(&mut *winners.lock().unwrap())
//! };
//! let run = |seed| runtime::Builder::new(driver::idle).seed(seed).run_traced(race);
//! let ((order, trace), (again, same)) = (run(7)?, run(7)?);
//! assert_eq!((order, trace.hash()), (again, same.hash()));
//! assert_ne!(trace.hash(), run(8)?.1.hash());
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # What holds in a seeded run
//!
//! * **Order.** Whenever a fiber parks, yields or ends, the next is drawn among all that can run, or has the highest of priorities that were drawn
//!   (see [`Schedule`]). What normal runs promise about
//!   turns (a woken fiber soon, a yielding one last) does not hold, just as it does not between workers: a program that is right under every
//!   seed relies on none of it. [`yield_now`](crate::yield_now) may return at once.
//! * **Time.** [`clock::now`](crate::clock::now) begins at some instant, moves on by [`STEP`] at each switch, so that a loop which yields until a
//!   deadline comes to its end, and jumps to the next timer when no fiber can run. It does not move while a fiber runs.
//! * **[`blocking`](crate::blocking())** runs its closure in place; others run before it returns. A closure that waits for another fiber waits for ever.
//! * **No sockets.** There is no driver: an operation on a socket of the system that would have to wait is an error. Other
//!   threads may wake and cancel fibers, but when that arrives nobody can reproduce.
//! * **A deadlock is an error.** If every fiber waits and no timer is armed (or the run's time is over), it ends with a [`Deadlock`], which says who waits for what,
//!   as an error of the kind [`ErrorKind::Deadlock`](std::io::ErrorKind::Deadlock).
//!
//! * **Randomness.** [`random`] gives numbers of the seed. fibra's own draws (names, jitter) come from there.
//!
//! # Hosts
//!
//! Fibers may be grouped as those of one machine, see [`Host`]: with a clock that differs from the run's, to be paused, to crash. What
//! is around them, such as a network, is a [`World`]; what it does goes into the trace by [`note`].
//!
//! What a program draws from elsewhere is its own affair: the addresses and iteration orders of its hash maps, the wall clock,
//! [`FiberId`](crate::FiberId)s (unique in the process, so different in each run).

mod deadlock;
mod host;
mod order;
mod skew;
mod trace;
mod world;

use std::time::Duration;

use crate::clock::Virtual;
use crate::rng;

pub use crate::rng::Rng;
pub use deadlock::Deadlock;
pub(crate) use deadlock::Waiting;
pub use host::Host;
pub(crate) use host::{Scope, enter, have_changed, host_of, refuse, take_crashed};
use order::Order;
pub use order::Schedule;
pub(crate) use order::{Entry, Mark};
pub use skew::Skew;
pub(crate) use trace::{Event, Recorder};
pub use trace::{Trace, note};
pub use world::{World, elapsed};

/// How far time moves at each switch: about what a short turn of a fiber takes.
pub const STEP: Duration = Duration::from_micros(1);

/// How long a run may take, unless its builder says otherwise. A timer later than that counts as none: who waits that long waits for ever.
pub(crate) const HORIZON: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// 64 random bits of the seeded run on this thread: the same at the same place of each run of that seed. `None` outside of one, where
/// the caller has to get them elsewhere. What they decide is reproducible, so they keep no secrets.
///
/// ```
/// use fibra_scheduler::{driver, runtime, seeded};
///
/// let dice = |seed| runtime::Builder::new(driver::idle).seed(seed).run(|| [seeded::random(), seeded::random()]);
/// assert_eq!(dice(7)?, dice(7)?);
/// assert_ne!(dice(7)?, dice(8)?);
/// assert_eq!(seeded::random(), None);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn random() -> Option<u64> {
    rng::draw()
}

/// The seed of the run on this thread, for what has a generator of its own ([`Rng`]); `None` outside of one.
///
/// ```
/// use fibra_scheduler::{driver, runtime, seeded};
///
/// assert_eq!(runtime::Builder::new(driver::idle).seed(7).run(seeded::seed)?, Some(7));
/// assert_eq!(seeded::seed(), None);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn seed() -> Option<u64> {
    rng::seed()
}

/// What the run knows of a fiber that has started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Listed {
    /// From 0, in the order of the starts.
    pub(crate) number: u64,
    pub(crate) host: Option<Host>,
    pub(crate) mark: Mark,
}

/// The state of a seeded run beside its worker's.
pub(crate) struct Run {
    pub(crate) clock: Virtual,
    pub(crate) random: rng::Seeded,
    pub(crate) order: Order,
    pub(crate) recorder: Recorder,
    /// The first deadlock: what comes after it is the shutdown.
    pub(crate) deadlock: Option<Deadlock>,
    pub(crate) world: Option<Box<dyn World>>,
    /// How long it may take.
    pub(crate) horizon: Duration,
    pub(crate) hosts: Scope,
    /// By where the worker lists them.
    listed: Vec<Listed>,
}

impl Run {
    pub(crate) fn new(seed: u64, schedule: Schedule, world: Option<Box<dyn World>>, horizon: Duration) -> Self {
        Run {
            clock: Virtual::start(),
            random: rng::Seeded::start(seed),
            order: Order::new(seed, schedule),
            recorder: Recorder::new(seed),
            deadlock: None,
            world,
            horizon,
            hosts: Scope::begin(),
            listed: Vec::new(),
        }
    }

    /// Notes what is known of the fiber that the worker lists under `key`.
    pub(crate) fn enlist(&mut self, key: usize, fiber: Listed) {
        if self.listed.len() <= key {
            self.listed.resize(key + 1, Listed::default());
        }
        self.listed[key] = fiber;
    }

    /// The live fiber that the worker lists under `key`.
    pub(crate) fn listed(&self, key: usize) -> Listed {
        self.listed[key]
    }

    /// Lets happen what of the world is due.
    pub(crate) fn happen(&mut self) {
        let now = self.clock.elapsed();
        if let Some(world) = &mut self.world
            && world.next().is_some_and(|at| at <= now)
        {
            world.happen(now);
        }
    }

    pub(crate) fn record(&mut self, fiber: u64, event: Event) {
        self.recorder.record(self.clock.elapsed(), fiber, event);
    }
}
