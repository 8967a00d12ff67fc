//! Dumps: every fiber of a runtime, what it waits for and how long, how much stack it uses, and its backtrace.
//!
//! ```text
//!   dump() ── request ──▶ each worker's errands ── when it next looks outside ──▶ its own fibers ── answer ──▶ Dump
//!                                                    │ for each one that is parked or ready:
//!                                                    └─ visits its stack, takes a backtrace there, as addresses
//! ```
//!
//! Nothing stops: each worker answers for its own fibers, between two of them, while the others go on. So a dump is no
//! snapshot of one instant, but what it says of one worker is; a closure that has not started and is stolen at that very moment may be
//! missed. A worker that a fiber holds does not answer; after
//! [`ANSWER_MAX`] the dump says so and names that fiber.
//!
//! Addresses become names only when a dump is displayed, on the thread that displays it.
//!
//! ```
//! # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).workers(1).run(|| {
//! use std::time::Duration;
//!
//! let sleeper = fibra_scheduler::Builder::new().name("sleeper").spawn(|| fibra_scheduler::sleep(Duration::from_secs(3600)));
//! fibra_scheduler::yield_now();
//! let dump = fibra_scheduler::dump();
//! let found = dump.fibers.iter().find(|fiber| fiber.name.as_deref() == Some("sleeper")).unwrap();
//! assert!(found.to_string().contains("sleeps"));
//! # sleeper.unwrap().cancel();
//! # }).unwrap();
//! ```

mod cycles;
mod deadlock;
pub(crate) mod debugger;
mod display;
mod request;
mod trace;

use std::collections::HashMap;
use std::panic::Location;
use std::time::{Duration, Instant};

use crate::FiberId;
use crate::control::Origin;
use crate::park::Reason;
use crate::runtime::Runtime;
use crate::stacks::Stacks;
use crate::watchdog;
use crate::worker::{Remote, Worker};

pub use deadlock::Deadlock;
pub use request::ANSWER_MAX;
pub(crate) use request::{Request, collect};
pub use trace::{Frame, Trace};
pub(crate) use trace::{ROOM_MIN, TRACES_MAX};

/// The fibers of one runtime. See the [module](self). Its `Display` is text to read, a paragraph a fiber.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Dump {
    /// The fibers of the workers that answered, by number.
    pub fibers: Vec<FiberDump>,
    /// How many workers the runtime has.
    pub workers: usize,
    /// The workers that did not answer in time.
    pub silent: Vec<SilentWorker>,
}

/// One fiber in a [`Dump`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FiberDump {
    /// Its number.
    pub id: FiberId,
    /// Its name, if it was given one.
    pub name: Option<Box<str>>,
    /// Where it was spawned.
    pub spawned_at: &'static Location<'static>,
    /// The worker that runs it. One that has not started may still go to another.
    pub worker: usize,
    /// What it does.
    pub state: State,
    /// The bytes of its stack that it uses; 0 if it has not started, `None` while it runs.
    pub stack_used: Option<usize>,
    /// The usable bytes of its stack.
    pub stack_size: usize,
    /// The most that fibers of its spawn site have used of theirs, as far as is known: see [`stacks`](mod@crate::stacks).
    pub stack_deepest: Option<usize>,
    /// Where it is.
    pub backtrace: Trace,
}

/// What a fiber does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It runs: it has asked for the dump, or holds its worker.
    Running,
    /// It waits for its turn on its worker.
    Ready,
    /// It waits for something.
    #[non_exhaustive]
    Parked {
        /// What for.
        reason: Reason,
        /// Since when, right to about 100 us.
        since: Instant,
        /// How long it has been waiting.
        waited: Duration,
    },
    /// It has been spawned, and no worker has come round to it yet.
    NotStarted,
}

/// A worker that did not answer: a fiber holds it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SilentWorker {
    /// Its number.
    pub worker: usize,
    /// The fiber that runs there, if that could be found out.
    pub running: Option<FiberDump>,
}

impl Dump {
    /// The cycles of fibers that wait for each other, by joining or by locks that name their owner: none of them can go on unless
    /// somebody else cuts the wait short. Each begins with its lowest number.
    pub fn deadlocks(&self) -> Vec<Vec<FiberId>> {
        let waits = self.fibers.iter().filter_map(|fiber| Some((fiber.id, fiber.waits_for()?)));
        cycles::cycles(waits.collect())
    }

    /// Adds to each fiber what is known of its spawn site.
    pub(crate) fn with_stacks(mut self, stacks: &Stacks) -> Self {
        let measured = stacks.sites.iter().filter(|site| site.measured > 0);
        let deepest: HashMap<&Location<'_>, usize> = measured.map(|site| (site.spawned_at, site.deepest)).collect();
        let held = self.silent.iter_mut().filter_map(|silent| silent.running.as_mut());
        for fiber in self.fibers.iter_mut().chain(held) {
            fiber.stack_deepest = deepest.get(fiber.spawned_at).copied();
        }
        self
    }

    /// The fiber of that number.
    pub fn fiber(&self, id: FiberId) -> Option<&FiberDump> {
        self.fibers.iter().find(|fiber| fiber.id == id)
    }
}

/// The fiber that holds a worker.
fn held_by(index: usize, worker: &Remote) -> Option<FiberDump> {
    let (fiber, backtrace) = watchdog::sample(worker)?;
    Some(FiberDump::new(&fiber?.control().origin, index, State::Running, None, backtrace))
}

impl FiberDump {
    pub(crate) fn new(
        origin: &Origin,
        worker: usize,
        state: State,
        stack_used: Option<usize>,
        backtrace: Trace,
    ) -> Self {
        FiberDump {
            id: origin.id,
            name: origin.name.clone(),
            spawned_at: origin.spawned_at,
            worker,
            state,
            stack_used,
            stack_size: origin.stack_size,
            stack_deepest: None,
            backtrace,
        }
    }

    /// What it waits for, if it is parked.
    pub fn reason(&self) -> Option<Reason> {
        match self.state {
            State::Parked { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// The fiber that it waits for, if it is parked and that is one particular fiber.
    pub fn waits_for(&self) -> Option<FiberId> {
        self.reason()?.waits_for()
    }
}

impl Runtime {
    /// Every fiber of this runtime, and what each waits for. From any thread; see [`dump`](mod@crate::dump).
    ///
    /// ```
    /// use fibra_scheduler::{driver, runtime};
    ///
    /// let runtime = runtime::Builder::new(driver::idle).workers(1).start()?;
    /// let fiber = runtime.spawn(|| fibra_scheduler::park::park(fibra_scheduler::park::Reason::Parked))?;
    /// println!("{}", runtime.dump());
    /// # fiber.unparker().unpark();
    /// # std::io::Result::Ok(())
    /// ```
    pub fn dump(&self) -> Dump {
        collect(self.shared())
    }
}

/// Every fiber of the calling thread's runtime, and what each waits for.
///
/// Other fibers run meanwhile. A fiber waits without being cut short by cancellation, for [`ANSWER_MAX`] at the most.
///
/// # Panics
///
/// Outside a runtime; [`Runtime::dump`](crate::runtime::Runtime::dump) works from any thread.
pub fn dump() -> Dump {
    match Worker::with(|worker| worker.map(|worker| worker.shared().clone())) {
        Some(shared) => collect(&shared),
        None => panic!("dump() outside a fibra runtime: use Runtime::dump"),
    }
}
