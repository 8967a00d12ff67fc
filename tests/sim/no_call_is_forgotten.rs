//! Whoever has the time to wait gets an answer: no call, of whatever kind, waits for a place, a connection, its turn or a reply that nobody tells it
//! of. In the random [workload](crate::workload), whose callers here have more time than anything takes.

use std::time::Duration;

use fibra::sim::{Conditions, Latency};

use crate::support::seeds;
use crate::workload::plan::{Action, Plan};
use crate::workload::{self, Ran};

fn run(plan: Plan) -> Ran {
    workload::perform(plan).unwrap_or_else(|broken| panic!("{broken}"))
}

#[test]
fn whatever_disturbs() {
    for seed in seeds(100) {
        run(Plan::draw(seed).patient());
    }
}

/// And then each has a value, or the error that its method returns.
#[test]
fn when_nothing_disturbs() {
    for seed in seeds(100) {
        let mut plan = Plan::draw(seed).patient();
        plan.faults.faults.clear();
        plan.faults.conditions = Conditions {
            latency: Latency::between(Duration::from_micros(50), Duration::from_millis(5)),
            ..Conditions::default()
        };
        for server in &mut plan.servers {
            (server.drains, server.is_strict) = (None, false);
            (server.in_flight, server.waiting_max) = (1_024, 65_536);
        }
        for client in &mut plan.clients {
            client.mix.retain(|(action, _)| *action != Action::Cancel);
            if client.mix.is_empty() {
                client.mix.push((Action::Once, 1));
            }
            // A connection that is idle is given up, and with it a call that comes at that moment goes to the next.
            client.idle_timeout = None;
        }
        let tally = run(plan).tally;
        assert!(tally.no == 0 && tally.maybe == 0, "seed {seed}: {tally:?}");
    }
}
