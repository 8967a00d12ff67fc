//! The explorer: a test under many seeds.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use fibra_net::sim::{Builder, Ending, Faults, Schedule};

use crate::case::Case;
use crate::environment;
use crate::finding::Finding;
use crate::play::Test;
use crate::recipe::Recipe;
use crate::seeds::{self, Outcome};
use crate::shrink::shrink;

/// How many seeds there are, unless a test or the environment says otherwise.
const SEEDS: u64 = 256;

/// How long the swarm of faults lasts that a seed draws, in virtual time.
const DISTURBED: Duration = Duration::from_secs(10);

/// How many runs the shrinker may make.
const SHRINK_RUNS: u32 = 2_000;

type Configure = Arc<dyn Fn(Builder) -> Builder + Send + Sync>;
type Swarm = Arc<dyn Fn(u64) -> Faults + Send + Sync>;
type Schedules = Arc<dyn Fn(u64) -> Schedule + Send + Sync>;

/// Runs a test under many seeds, each with faults of its own, on several threads; and makes the first case that fails as small as it can.
///
/// Of each hundred seeds the first is run twice, which must be the same run.
///
/// ```
/// use std::time::Duration;
/// use fibra_sim::Explorer;
///
/// let summary = Explorer::new().seeds(0..50).run(|sim| {
///     let naps = sim.draw("naps", 1..=5);
///     sim.client("sleeper", move || {
///         (0..naps).try_for_each(|_| fibra_scheduler::sleep(Duration::from_secs(1)))?;
///         Ok(())
///     });
///     assert_eq!(sim.run()?.trace().leaked(), 0);
///     Ok(())
/// })?;
/// assert_eq!(summary.cases, 50);
/// # Ok::<(), Box<fibra_sim::Finding>>(())
/// ```
#[derive(Clone)]
#[must_use = "an explorer does nothing until it runs a test"]
pub struct Explorer {
    seeds: Range<u64>,
    known: Vec<Recipe>,
    jobs: usize,
    shrink_runs: u32,
    is_loud: bool,
    configure: Configure,
    faults: Swarm,
    schedules: Schedules,
}

impl Default for Explorer {
    fn default() -> Self {
        Self::new()
    }
}

impl Explorer {
    /// 256 seeds from 0, on as many threads as there are CPUs, each under a [swarm](Faults::swarm) of faults that ends after ten seconds; one in four
    /// of them [by priorities](Schedule::swarm).
    pub fn new() -> Self {
        Self {
            seeds: 0..SEEDS,
            known: Vec::new(),
            jobs: std::thread::available_parallelism().map_or(1, |cpus| cpus.get()),
            shrink_runs: SHRINK_RUNS,
            is_loud: false,
            configure: Arc::new(|builder| builder),
            faults: Arc::new(|seed| Faults::swarm(seed, DISTURBED)),
            schedules: Arc::new(Schedule::swarm),
        }
    }

    /// Which seeds. Default: `0..256`.
    pub fn seeds(self, seeds: Range<u64>) -> Self {
        Self { seeds, ..self }
    }

    /// Adds a case that has failed once, as a failure prints it: it is run before all seeds.
    ///
    /// # Panics
    ///
    /// If that is no case.
    pub fn case(mut self, recipe: &str) -> Self {
        self.known.push(recipe.parse().unwrap_or_else(|error| panic!("'{recipe}': {error}")));
        self
    }

    /// On how many threads; each case is on one. What is found does not depend on it. Default: as many as there are CPUs.
    pub fn jobs(self, jobs: usize) -> Self {
        Self { jobs: jobs.max(1), ..self }
    }

    /// What goes wrong under a seed. Default: a swarm that ends after ten seconds.
    ///
    /// ```
    /// use fibra_net::sim::Faults;
    /// use fibra_sim::Explorer;
    ///
    /// // No fault but loss, for ever.
    /// let explorer = Explorer::new().faults(|_| {
    ///     let mut faults = Faults::default();
    ///     faults.conditions.loss = 0.1;
    ///     faults
    /// });
    /// # explorer.seeds(0..2).check(|_| Ok(()));
    /// ```
    pub fn faults(self, faults: impl Fn(u64) -> Faults + Send + Sync + 'static) -> Self {
        Self { faults: Arc::new(faults), ..self }
    }

    /// How a seed decides which fiber runs next. Default: as [`Schedule::swarm`] draws it.
    ///
    /// ```
    /// use fibra_sim::{Explorer, Schedule};
    ///
    /// let explorer = Explorer::new().schedules(|_| Schedule::Priorities { depth: 3, steps: 1_000 });
    /// # explorer.seeds(0..2).check(|_| Ok(()));
    /// ```
    pub fn schedules(self, schedules: impl Fn(u64) -> Schedule + Send + Sync + 'static) -> Self {
        Self { schedules: Arc::new(schedules), ..self }
    }

    /// Changes what else there is to set, such as the [time limit](Builder::time_limit). The seed, the faults and the schedule are set behind it.
    pub fn configure(self, configure: impl Fn(Builder) -> Builder + Send + Sync + 'static) -> Self {
        Self { configure: Arc::new(configure), ..self }
    }

    /// How many runs the shrinker may make; 0: the first case that fails is left as it is. Default: 2,000.
    pub fn shrink_runs(self, runs: u32) -> Self {
        Self { shrink_runs: runs, ..self }
    }

    /// As the environment says; [`check`](Explorer::check) does this itself.
    ///
    /// | variable | what it does |
    /// |---|---|
    /// | `FIBRA_SIM_SEED=17` | only this seed, with its panics and prints as they come |
    /// | `FIBRA_SIM_CASE='seed=17 draws=3,0 loss=0.125'` | only this case, likewise |
    /// | `FIBRA_SIM_SEEDS=10000` | so many seeds |
    /// | `FIBRA_SIM_JOBS=1` | on so many threads |
    ///
    /// # Panics
    ///
    /// If one of them is not what it should be.
    pub fn environment(mut self) -> Self {
        if let Some(count) = environment::number("FIBRA_SIM_SEEDS") {
            self.seeds = self.seeds.start..self.seeds.start.saturating_add(count);
        }
        if let Some(jobs) = environment::number("FIBRA_SIM_JOBS") {
            self = self.jobs(usize::try_from(jobs).unwrap_or(usize::MAX));
        }
        let only = environment::case().or_else(|| environment::number("FIBRA_SIM_SEED").map(Recipe::of_seed));
        if let Some(only) = only {
            (self.known, self.seeds, self.shrink_runs, self.is_loud) = (vec![only], 0..0, 0, true);
        }
        self
    }

    /// Runs `test` for each seed. See [`Case`] for what it is given.
    ///
    /// # Errors
    ///
    /// [`Finding`]: the first case that fails, and the smallest that was made of it.
    pub fn run(&self, test: impl Fn(&mut Case) -> Ending + Sync) -> Result<Summary, Box<Finding>> {
        let test = Test {
            body: &test,
            configure: &*self.configure,
            faults: &*self.faults,
            schedules: &*self.schedules,
            is_loud: self.is_loud,
        };
        match seeds::run(&test, &self.known, self.seeds.clone(), self.jobs) {
            Outcome::AllPass(summary) => Ok(summary),
            Outcome::Fails(number, given, first) if self.shrink_runs == 0 => {
                let smallest = (*first).clone();
                Err(Box::new(Finding { number, given, first: *first, is_exact: true, smallest, runs: 0 }))
            }
            Outcome::Fails(number, given, first) => {
                let first = *first;
                // On a thread of its own, as all cases are: the caller may be a fiber.
                let (again, (smallest, runs)) =
                    seeds::aside(|| (test.play(first.recipe()), shrink(&test, first.clone(), self.shrink_runs)));
                let is_exact = again.counterexample.is_some_and(|again| again.is_same(&first));
                Err(Box::new(Finding { number, given, first, is_exact, smallest, runs }))
            }
        }
    }

    /// Runs `test` for each seed, as the [environment](Explorer::environment) says. For tests.
    ///
    /// # Panics
    ///
    /// If a case fails: with its seed, the smallest case that was made of it, and the commands that run them again.
    #[track_caller]
    pub fn check(self, test: impl Fn(&mut Case) -> Ending + Sync) {
        if let Err(finding) = self.environment().run(test) {
            panic!("{finding}");
        }
    }
}

impl fmt::Debug for Explorer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seeds, known, jobs, shrink_runs, .. } = self;
        let mut it = f.debug_struct("Explorer");
        it.field("seeds", seeds).field("known", known).field("jobs", jobs).field("shrink_runs", shrink_runs);
        it.finish_non_exhaustive()
    }
}

/// What cases have come to that all pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// How many.
    pub cases: u64,
    /// How many of them were run twice.
    pub reruns: u64,
    /// How much virtual time they took in all.
    pub virtual_time: Duration,
    /// Over the hashes of all runs, in whatever order they ended: the same in each build, on each machine, for each number of jobs.
    pub hash: u64,
}

/// Runs `test` under 256 seeds, each with a swarm of faults; more or fewer, or a single one, as the [environment](Explorer::environment) says.
/// For tests: the same as [`Explorer::new()`]`.`[`check`](Explorer::check)`(test)`.
///
/// # Panics
///
/// As [`Explorer::check`].
#[track_caller]
pub fn check(test: impl Fn(&mut Case) -> Ending + Sync) {
    Explorer::new().check(test);
}
