//! The seam to run order: which of the fibers that can run is next.
//!
//! What decides is a [`Schedule`]: chance alone, or priorities (`order/pct.rs`).
//!
//! Fibers of a crashed host come before all others, so that nobody meets half of what it left; those of a paused one do not come.

mod pct;

use super::Host;
use super::host::State;
use crate::control::Runnable;
use crate::rng::Rng;

pub(crate) use pct::Mark;
use pct::Priorities;

/// Keeps this generator apart from others of the same seed.
const PURPOSE: u64 = 1;
/// Likewise, of what draws a schedule itself.
const SWARM_PURPOSE: u64 = 7;

/// One in so many schedules of a swarm has priorities.
const PRIORITIES_ONE_IN: usize = 4;

/// How a [seeded](crate::seeded) run chooses who is next.
///
/// ```
/// use fibra_scheduler::seeded::Schedule;
/// use fibra_scheduler::{driver, runtime, spawn, yield_now};
///
/// let two = || {
///     let fibers = [1, 2].map(|_| spawn(|| (0..10).for_each(|_| yield_now())));
///     fibers.into_iter().for_each(|fiber| fiber.join().unwrap());
/// };
/// let run = |schedule| runtime::Builder::new(driver::idle).seed(7).schedule(schedule).run_traced(two).unwrap().1;
/// // How long is it? Two events a step.
/// let steps = run(Schedule::Random).events() / 2;
/// let schedule = Schedule::Priorities { depth: 3, steps };
/// assert_eq!(run(schedule), run(schedule));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Schedule {
    /// Each that can run is as likely as any other. Every order has a chance, though one in which a fiber must lose many draws
    /// in a row has a small one.
    #[default]
    Random,
    /// Each fiber has a priority that the seed decides, the highest of those that can run is next, and at some steps the one that runs falls
    /// below all others: PCT (Burckhardt, Kothari, Musuvathi, Nagarakatte, "A Randomized Scheduler with Probabilistic Guarantees of
    /// Finding Bugs", ASPLOS 2010). A bug that needs `depth` ordering constraints, in a program of n fibers and at most `steps`
    /// steps, shows with a probability of at least 1 / (n * `steps`^(`depth` - 1)), whatever else the program does in between; where chance
    /// alone would have to fall one way hundreds of times in a row.
    ///
    /// A step is a turn of a fiber, from switch to switch. A run without fibers that wait on each other for ever is not starved:
    ///
    /// * Who [yields](crate::yield_now) again and again, without waiting for anything, is taken for one that waits in a loop: from the 32nd
    ///   yield on it takes turns with all others that can run.
    /// * Who could have run in each of the last `steps` steps comes first. In a program of at most `steps` steps nobody does.
    /// * Only a fiber that computes for ever without a switch stops the run, as it does under each schedule.
    Priorities {
        /// How many constraints on the order a bug may need: 2 or 3 find most. There are `depth` - 1 changes of priorities in each `steps` steps.
        depth: u32,
        /// How many steps the program takes, about: half the [events](super::Trace::events) of its trace. 0 counts as 1.
        steps: u64,
    },
}

impl Schedule {
    /// One that is drawn from `seed`: for three seeds in four chance alone, for the others priorities, of a depth from 2 to 5, for programs of 64 to
    /// 4,096 steps.
    ///
    /// ```
    /// use fibra_scheduler::seeded::Schedule;
    ///
    /// let by_chance = (0..1000).filter(|&seed| Schedule::swarm(seed) == Schedule::Random).count();
    /// assert!((650..850).contains(&by_chance));
    /// ```
    pub fn swarm(seed: u64) -> Self {
        let mut rng = Rng::new(seed, SWARM_PURPOSE);
        match rng.below(PRIORITIES_ONE_IN) {
            0 => Self::Priorities { depth: 2 + rng.below(4) as u32, steps: 64 << rng.below(7) },
            _ => Self::Random,
        }
    }
}

/// A fiber that can run.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) runnable: Runnable,
    /// Whose it is.
    pub(crate) host: Option<Host>,
    pub(crate) mark: Mark,
}

/// Those that can run, of hosts that are up.
#[derive(Debug)]
enum Queue {
    Random(Vec<Entry>),
    Priorities(Box<Priorities>),
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Order {
    rng: Rng,
    runnable: Queue,
    /// Of crashed hosts.
    ending: Vec<Entry>,
    /// Of paused hosts.
    paused: Vec<Entry>,
    /// Of crashed hosts, never to be run again.
    stranded: Vec<Entry>,
}

impl Order {
    pub(super) fn new(seed: u64, schedule: Schedule) -> Self {
        let mut rng = Rng::new(seed, PURPOSE);
        let runnable = match schedule {
            Schedule::Random => Queue::Random(Vec::new()),
            Schedule::Priorities { depth, steps } => {
                Queue::Priorities(Box::new(Priorities::new(depth, steps, &mut rng)))
            }
        };
        let [ending, paused, stranded] = Default::default();
        Order { rng, runnable, ending, paused, stranded }
    }

    /// Adds a fiber that can run. `mark`: what it had when it was last taken; `None`: it is new.
    pub(crate) fn push(&mut self, runnable: Runnable, host: Option<Host>, mark: Option<Mark>) {
        let mark = mark.unwrap_or_else(|| match &mut self.runnable {
            Queue::Random(_) => Mark::default(),
            Queue::Priorities(priorities) => priorities.meet(&mut self.rng),
        });
        self.place(Entry { runnable, host, mark });
    }

    fn place(&mut self, entry: Entry) {
        match entry.host.map_or(State::Up, Host::state) {
            State::Up => match &mut self.runnable {
                Queue::Random(entries) => entries.push(entry),
                Queue::Priorities(priorities) => priorities.push(entry),
            },
            State::Paused => self.paused.push(entry),
            State::Crashed => self.ending.push(entry),
        }
    }

    /// Hosts are in another state than when their fibers were added.
    pub(crate) fn sort(&mut self) {
        let runnable = match &mut self.runnable {
            Queue::Random(entries) => std::mem::take(entries),
            Queue::Priorities(priorities) => priorities.take(),
        };
        for entries in [runnable, std::mem::take(&mut self.paused)] {
            entries.into_iter().for_each(|entry| self.place(entry));
        }
    }

    /// Takes the fiber that is next.
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        while let Some(entry) = draw(&mut self.ending, &mut self.rng) {
            match entry.host {
                Some(host) if host.is_past_hope() => self.stranded.push(entry),
                _ => return Some(entry),
            }
        }
        match &mut self.runnable {
            Queue::Random(entries) => draw(entries, &mut self.rng),
            Queue::Priorities(priorities) => priorities.pop(&mut self.rng),
        }
    }

    /// Takes those that were not to run, when the run is over.
    pub(crate) fn pop_rest(&mut self) -> Option<Runnable> {
        if let Queue::Priorities(priorities) = &mut self.runnable {
            self.stranded.extend(priorities.take());
        }
        let mut none = Vec::new();
        let runnable = match &mut self.runnable {
            Queue::Random(entries) => entries,
            Queue::Priorities(_) => &mut none,
        };
        let rest = [&mut self.ending, runnable, &mut self.paused, &mut self.stranded];
        rest.into_iter().find_map(|entries| entries.pop()).map(|entry| entry.runnable)
    }
}

fn draw(entries: &mut Vec<Entry>, rng: &mut Rng) -> Option<Entry> {
    match entries.len() {
        0 => None,
        // No draw where there is no choice.
        1 => entries.pop(),
        len => Some(entries.swap_remove(rng.below(len))),
    }
}
