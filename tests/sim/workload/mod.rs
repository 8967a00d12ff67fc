//! Random clients and servers under random faults, all of it from one seed; and what has to be true whatever happens.
//!
//! | file | holds |
//! |---|---|
//! | this one | [`run`]: a seed's run, and what comes of it |
//! | `plan` | what is drawn from the seed; in `plan/lanes`, of plans that are about ordered calls |
//! | `roles` | the mains of servers, clients and auditor |
//! | `stage` | what they know of each other |
//! | `desk` | the service |
//! | `around` | what calls carry along, and middleware on both sides |
//! | `caller`, `flow` | a client's fiber, and its calls with streams |
//! | `ledger` | what really happened, and whether that may be |
//! | `history` | registers, and whether their histories are linearizable |
//! | `shrink` | from a run that breaks something to a smaller one |

mod around;
mod caller;
mod desk;
mod flow;
mod history;
mod ledger;
pub(crate) mod plan;
mod roles;
mod shrink;
mod stage;

use std::fmt;
use std::time::Duration;

use fibra::sim::{Report, Sim};

pub(crate) use ledger::Tally;
use plan::Plan;
pub(crate) use shrink::shrink;
use stage::Stage;

/// How much virtual time a run may take beyond its faults.
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// A run in which all was as it has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) report: Report,
    pub(crate) tally: Tally,
}

/// A run in which it was not.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) plan: Plan,
    /// What was broken, a line each.
    pub(crate) what: Vec<String>,
}

/// Runs the plan of a seed.
pub(crate) fn run(seed: u64) -> Result<Ran, Box<Broken>> {
    perform(Plan::draw(seed))
}

/// The same with [patient](Plan::patient) callers.
pub(crate) fn run_patiently(seed: u64) -> Result<Ran, Box<Broken>> {
    perform(Plan::draw(seed).patient())
}

/// Runs a plan.
pub(crate) fn perform(plan: Plan) -> Result<Ran, Box<Broken>> {
    let stage = Stage::new(plan);
    let plan = stage.plan.clone();
    let sim = Sim::builder().seed(plan.seed).schedule(plan.schedule).faults(plan.faults.clone());
    let mut sim = sim.time_limit(plan.until + TIME_LIMIT).build();
    let hosts = sim.hosts();
    for (number, server) in plan.servers.iter().enumerate() {
        let (stage, hosts) = (stage.clone(), hosts.clone());
        let name = roles::server_name(number);
        sim.host(&name, move || roles::serve(&stage, number, &hosts)).clock(&name, server.skew);
    }
    for (number, client) in plan.clients.iter().enumerate() {
        let (stage, hosts) = (stage.clone(), hosts.clone());
        let name = roles::client_name(number);
        sim.client(&name, move || roles::call(&stage, number, &hosts)).clock(&name, client.skew);
    }
    sim.client("auditor", {
        let stage = stage.clone();
        move || roles::audit(&stage)
    });
    let ran = sim.run();
    let (mut what, tally) = stage.ledger.close();
    match ran {
        Ok(report) => {
            let leaked = report.trace().leaked();
            if leaked > 0 {
                what.push(format!("{leaked} fibers were leaked"));
            }
            if what.is_empty() {
                return Ok(Ran { report, tally });
            }
        }
        Err(failure) => what.push(failure.to_string()),
    }
    Err(Box::new(Broken { plan: Plan::clone(&plan), what }))
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} breaks what has to hold:", self.plan.seed)?;
        self.what.iter().take(10).try_for_each(|line| writeln!(f, "  {line}"))?;
        write!(f, "{:#?}", self.plan)
    }
}
