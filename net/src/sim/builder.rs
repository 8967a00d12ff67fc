//! A simulation: hosts and clients, what is between them, and the run.

use std::error::Error;
use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use fibra_scheduler::seeded::{self, Schedule, Skew};
use fibra_scheduler::{driver, runtime};

use super::current::{Installed, Shared};
use super::faults::{Fault, Faults, Plan};
use super::link::{Conditions, Latency};
use super::network::{Hosts, Network};
use super::report::{Cause, Details, Failure, Report};
use super::rule::Rule;
use super::stage::{Around, Role, Stage};

/// How a host or a client ends.
pub type Ending = Result<(), Box<dyn Error>>;

/// How much virtual time a simulation may take, unless its builder says otherwise.
const TIME_LIMIT: Duration = Duration::from_secs(3600);

/// Settings of a [`Sim`]; made by [`Sim::builder`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct Builder {
    seed: u64,
    schedule: Schedule,
    faults: Faults,
    time_limit: Duration,
    stack_size: Option<usize>,
}

impl Builder {
    /// What decides everything that is left open. Default: 0.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// How the seed decides which fiber runs next. Default: [`Schedule::Random`].
    pub fn schedule(self, schedule: Schedule) -> Self {
        Self { schedule, ..self }
    }

    /// How long what is sent takes, on all links. Default: 0.1 to 0.5 ms.
    pub fn latency(mut self, latency: Latency) -> Self {
        self.faults.conditions.latency = latency;
        self
    }

    /// What all links do.
    pub fn conditions(mut self, conditions: Conditions) -> Self {
        self.faults.conditions = conditions;
        self
    }

    /// Adds what goes wrong again and again.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.faults.push(fault);
        self
    }

    /// Everything that goes wrong by itself, instead of what was said so far; for instance a [`Faults::swarm`].
    pub fn faults(self, faults: Faults) -> Self {
        Self { faults, ..self }
    }

    /// How much virtual time the clients may take. Default: an hour.
    pub fn time_limit(self, time_limit: Duration) -> Self {
        Self { time_limit, ..self }
    }

    /// The usable size of the fibers' stacks, in bytes. Default: as [`runtime::Builder::stack_size`].
    pub fn stack_size(self, bytes: usize) -> Self {
        Self { stack_size: Some(bytes), ..self }
    }

    /// A simulation without hosts.
    pub fn build(self) -> Sim {
        let shared = Shared::new(self.seed);
        shared.with(|state| state.conditions = self.faults.conditions);
        Sim { settings: self, shared, cast: Vec::new(), rules: Vec::new() }
    }
}

/// A simulation of several hosts in one thread. See the [module](super).
pub struct Sim {
    settings: Builder,
    shared: Arc<Shared>,
    cast: Vec<Role>,
    rules: Vec<Rule>,
}

impl Sim {
    /// A builder with the default settings.
    pub fn builder() -> Builder {
        let faults = Faults::default();
        Builder { seed: 0, schedule: Schedule::default(), faults, time_limit: TIME_LIMIT, stack_size: None }
    }

    /// Adds a host that runs `main`, and does so anew each time that it is started. Others find it by its name. An error of `main` fails the
    /// simulation; its end does not, nor does it end what `main` has spawned.
    ///
    /// # Panics
    ///
    /// If there is one of that name.
    pub fn host(&mut self, name: &str, main: impl Fn() -> Ending + 'static) -> &mut Self {
        self.add(name, main, false)
    }

    /// Adds a host that the simulation is about: when the `main` of each client has returned, the simulation ends.
    ///
    /// # Panics
    ///
    /// If there is a host of that name.
    pub fn client(&mut self, name: &str, main: impl Fn() -> Ending + 'static) -> &mut Self {
        self.add(name, main, true)
    }

    fn add(&mut self, name: &str, main: impl Fn() -> Ending + 'static, is_client: bool) -> &mut Self {
        self.shared.with(|state| state.add_machine(name));
        self.cast.push(Role { main: Rc::new(main), is_client, is_done: false });
        self
    }

    /// Gives a host a clock of its own: ahead of the others', or faster, or slower.
    ///
    /// # Panics
    ///
    /// If there is no host of that name.
    pub fn clock(&mut self, host: &str, skew: Skew) -> &mut Self {
        self.shared.with(|state| {
            let machine = state.named(host);
            state.machine(machine).skew = skew;
        });
        self
    }

    /// Adds a rule: what goes wrong, as straight-line code in a fiber of no host. It begins with the run and is cancelled when the faults end
    /// ([`Faults::until`]; what it has done is mended then, as by [`Network::calm`]), or with the run. An error or a panic before that fails the
    /// simulation.
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra_net::sim::{Ending, Hosts, Network, Sim};
    ///
    /// /// Every second, `host` is cut off from `from` for `time`.
    /// fn flaps(host: &str, from: &str, time: Duration) -> impl FnOnce(&Network, &Hosts) -> Ending + 'static {
    ///     let (host, from) = (host.to_owned(), from.to_owned());
    ///     move |network, _hosts| loop {
    ///         fibra_scheduler::sleep(Duration::from_secs(1))?;
    ///         network.partition(&host, &from);
    ///         fibra_scheduler::sleep(time)?;
    ///         network.heal(&host, &from);
    ///     }
    /// }
    ///
    /// let mut sim = Sim::builder().seed(7).build();
    /// sim.client("alice", || Ok(fibra_scheduler::sleep(Duration::from_secs(10))?));
    /// sim.client("bob", || Ok(()));
    /// sim.rule("flapping", flaps("bob", "alice", Duration::from_millis(300)));
    /// sim.run()?;
    /// # Ok::<(), fibra_net::sim::Failure>(())
    /// ```
    pub fn rule(&mut self, name: &str, rule: impl FnOnce(&Network, &Hosts) -> Ending + 'static) -> &mut Self {
        self.rules.push(Rule { name: name.into(), act: Box::new(rule) });
        self
    }

    /// The network, to be changed before the run and while it runs.
    pub fn network(&self) -> Network {
        Network(Arc::clone(&self.shared))
    }

    /// The hosts, to be crashed, restarted and paused.
    pub fn hosts(&self) -> Hosts {
        Hosts(Arc::clone(&self.shared))
    }

    /// Runs the simulation on the calling thread, until all clients have come to their ends. Then all hosts crash.
    ///
    /// # Errors
    ///
    /// [`Failure`]: a host or a client returned an error or panicked, all wait for ever, or the clients took too long.
    ///
    /// # Panics
    ///
    /// If this thread runs fibers already.
    pub fn run(self) -> Result<Report, Failure> {
        let Self { settings, shared, cast, rules } = self;
        let plan = shared.with(|state| Plan::begin(settings.seed, settings.faults.clone(), state));
        // With the clocks as they have been drawn.
        let configuration = describe(&settings, &cast, &rules, &shared);
        let failed = |cause, at: Duration, hash| {
            let last = shared.with(|state| state.describe_last(at));
            let configuration = configuration.clone();
            Failure::new(Details { seed: settings.seed, cause, at, hash, configuration, last })
        };
        let installed = match Installed::new(&shared) {
            Ok(installed) => installed,
            Err(error) => return Err(failed(Cause::Start(error.to_string()), Duration::ZERO, None)),
        };
        let stage = Stage::new(&shared, cast, rules, plan);
        // Neither is of use where nothing is measured and little lasts, and each is a system call a fiber.
        let mut builder = runtime::Builder::new(driver::idle).sample_stacks(None).trim_after(Duration::MAX);
        if let Some(stack_size) = settings.stack_size {
            builder = builder.stack_size(stack_size);
        }
        let main = {
            let stage = Rc::clone(&stage);
            move || stage.perform()
        };
        let run = builder
            .seed(settings.seed)
            .schedule(settings.schedule)
            .world(Around(stage))
            .time_limit(settings.time_limit)
            .run_traced(main);
        drop(installed);
        match run {
            Ok((Ok(()), trace)) => {
                let events = shared.with(|state| state.events);
                Ok(Report { trace, events, configuration })
            }
            Ok((Err((cause, at)), trace)) => Err(failed(cause, at, Some(trace.hash()))),
            Err(error) => Err(match error.get_ref().and_then(|inner| inner.downcast_ref::<seeded::Deadlock>()) {
                Some(deadlock) => {
                    let waiting = deadlock.to_string();
                    let cause = match deadlock.is_late() {
                        true => Cause::OutOfTime { limit: settings.time_limit, waiting },
                        false => Cause::Deadlock(waiting),
                    };
                    failed(cause, deadlock.at(), Some(deadlock.hash()))
                }
                None => failed(Cause::Start(error.to_string()), Duration::ZERO, None),
            }),
        }
    }
}

/// Everything that decides about a run, as text.
fn describe(settings: &Builder, cast: &[Role], rules: &[Rule], shared: &Shared) -> String {
    let mut text = String::new();
    shared.with(|state| {
        for (machine, role) in state.machines.iter().zip(cast) {
            let kind = if role.is_client { "client" } else { "host" };
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {kind} {} at {}, {:?}", machine.name, machine.addrs[0], machine.skew);
        }
    });
    let Faults { conditions, faults, until, .. } = &settings.faults;
    let _ = writeln!(text, "  links: {conditions:?}");
    for fault in faults {
        let _ = writeln!(text, "  {fault:?}");
    }
    for rule in rules {
        let _ = writeln!(text, "  rule {}", rule.name);
    }
    let Builder { schedule, time_limit, .. } = settings;
    let _ = write!(text, "  faults until {until:?}, time limit {time_limit:?}, schedule {schedule:?}");
    text
}
