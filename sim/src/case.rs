//! A case: one simulation of a test, with what its recipe decides.

use std::fmt;

use fibra_net::sim::{Builder, Ending, Failure, Faults, Hosts, Network, Report, Schedule, Sim, Skew};

use crate::draws::Draws;
use crate::recipe::Recipe;

/// A simulation that a test describes, runs and judges; [`check`](crate::check) makes one for each seed.
///
/// What it leaves open it [draws](Case::draw), so that the shrinker can make it smaller: the number of clients, of calls, the amounts.
pub struct Case {
    recipe: Recipe,
    /// As it will run; none once it has.
    sim: Option<Sim>,
    draws: Draws,
    network: Network,
    hosts: Hosts,
    rules: Vec<String>,
    pub(crate) report: Option<Report>,
}

impl Case {
    /// The case of a recipe, with the schedule and the faults that it has or leaves to its seed.
    pub(crate) fn new(
        recipe: &Recipe,
        schedule: Schedule,
        faults: Faults,
        configure: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let sim = configure(Sim::builder()).seed(recipe.seed).schedule(schedule).faults(faults).build();
        let (network, hosts) = (sim.network(), sim.hosts());
        let draws = Draws::new(recipe.seed, recipe.draws.clone());
        Self { recipe: recipe.clone(), sim: Some(sim), draws, network, hosts, rules: Vec::new(), report: None }
    }

    fn sim(&mut self) -> &mut Sim {
        self.sim.as_mut().expect("a case that has run is over: hosts, clients and rules come before")
    }

    /// Adds a host: as [`Sim::host`].
    ///
    /// # Panics
    ///
    /// If there is one of that name, or the case has run.
    pub fn host(&mut self, name: &str, main: impl Fn() -> Ending + 'static) -> &mut Self {
        self.sim().host(name, main);
        self
    }

    /// Adds a client, whose end the run waits for: as [`Sim::client`].
    ///
    /// # Panics
    ///
    /// If there is a host of that name, or the case has run.
    pub fn client(&mut self, name: &str, main: impl Fn() -> Ending + 'static) -> &mut Self {
        self.sim().client(name, main);
        self
    }

    /// Gives a host a clock of its own: as [`Sim::clock`].
    ///
    /// # Panics
    ///
    /// If there is no host of that name, or the case has run.
    pub fn clock(&mut self, host: &str, skew: Skew) -> &mut Self {
        self.sim().clock(host, skew);
        self
    }

    /// Adds a rule of one's own by which things go wrong: as [`Sim::rule`]. The shrinker tries to do without it.
    ///
    /// What a rule draws itself, from [`draws`](Case::draws), is made smaller, too.
    ///
    /// # Panics
    ///
    /// If the case has run.
    pub fn rule(&mut self, name: &str, rule: impl FnOnce(&Network, &Hosts) -> Ending + 'static) -> &mut Self {
        let is_left_out = self.recipe.without.iter().any(|without| without == name);
        let sim = self.sim();
        if !is_left_out {
            sim.rule(name, rule);
            self.rules.push(name.to_owned());
        }
        self
    }

    /// A number of `range`: as [`Draws::draw`].
    ///
    /// # Panics
    ///
    /// If the range is empty.
    pub fn draw(&self, name: &'static str, range: std::ops::RangeInclusive<u64>) -> u64 {
        self.draws.draw(name, range)
    }

    /// One of `values`: as [`Draws::pick`].
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn pick<'a, T>(&self, name: &'static str, values: &'a [T]) -> &'a T {
        self.draws.pick(name, values)
    }

    /// What the case draws from, for hosts, clients and rules to draw as they run.
    pub fn draws(&self) -> Draws {
        self.draws.clone()
    }

    /// The network, to be changed before the run and while it runs.
    pub fn network(&self) -> Network {
        self.network.clone()
    }

    /// The hosts, to be crashed, restarted and paused.
    pub fn hosts(&self) -> Hosts {
        self.hosts.clone()
    }

    /// What decides all that the test leaves open.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Runs it, until all clients have come to their ends: as [`Sim::run`]. What is to hold then, the test asserts behind it. A test that does
    /// not call this is run when it returns.
    ///
    /// # Errors
    ///
    /// As [`Sim::run`]; a test hands it on by `?`.
    ///
    /// # Panics
    ///
    /// If it has run.
    pub fn run(&mut self) -> Result<Report, Failure> {
        let report = self.sim.take().expect("a case runs once").run()?;
        self.report = Some(report.clone());
        Ok(report)
    }

    pub(crate) fn has_run(&self) -> bool {
        self.sim.is_none()
    }

    /// The names of its rules.
    pub(crate) fn rules(&self) -> &[String] {
        &self.rules
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("recipe", &self.recipe).field("has_run", &self.has_run()).finish_non_exhaustive()
    }
}
