//! From a plan that breaks something to a smaller one that does: taken away, as long as anything can be, are clients, priorities, kinds of faults, what
//! links do to what travels on them, calls, callers, and kinds of calls.
//!
//! What is broken may be something else in the end; as a rule it has the same cause.

use super::plan::Plan;
use super::{Broken, perform};
use fibra::sim::{Conditions, Schedule};

/// Runs that this may take.
const RUNS_MAX: usize = 400;

/// The smallest plan that was found, and what it breaks.
pub(crate) fn shrink(broken: Box<Broken>) -> Box<Broken> {
    let (mut smallest, mut runs) = (broken, 0);
    loop {
        let mut is_smaller = false;
        for plan in candidates(&smallest.plan) {
            runs += 1;
            if runs > RUNS_MAX {
                return smallest;
            }
            if let Err(broken) = perform(plan) {
                smallest = broken;
                is_smaller = true;
                break;
            }
        }
        if !is_smaller {
            return smallest;
        }
    }
}

/// All plans that are one step smaller, those with the largest steps first.
fn candidates(plan: &Plan) -> Vec<Plan> {
    let mut smaller = Vec::new();
    let mut with = |change: &dyn Fn(&mut Plan)| {
        let mut changed = plan.clone();
        change(&mut changed);
        smaller.push(changed);
    };
    for client in (0..plan.clients.len()).filter(|_| plan.clients.len() > 1) {
        with(&|plan| _ = plan.clients.remove(client));
    }
    if plan.schedule != Schedule::Random {
        with(&|plan| plan.schedule = Schedule::Random);
    }
    for fault in 0..plan.faults.faults.len() {
        with(&|plan| _ = plan.faults.faults.remove(fault));
    }
    let calm = Conditions { latency: plan.faults.conditions.latency, ..Conditions::default() };
    if plan.faults.conditions != calm {
        with(&|plan| plan.faults.conditions = calm);
    }
    if plan.until.as_millis() > 100 {
        with(&|plan| {
            plan.until /= 2;
            plan.faults.until = Some(plan.until);
        });
    }
    for number in (0..plan.servers.len()).filter(|&number| plan.servers[number].is_strict) {
        with(&|plan| plan.servers[number].is_strict = false);
    }
    for (number, client) in plan.clients.iter().enumerate() {
        if client.metadata.is_some() || client.around.is_some() {
            with(&|plan| (plan.clients[number].metadata, plan.clients[number].around) = (None, None));
        }
        if client.lanes > 1 {
            with(&|plan| plan.clients[number].lanes -= 1);
        }
        if client.fibers > 1 {
            with(&|plan| plan.clients[number].fibers /= 2);
        }
        if client.calls > 1 {
            with(&|plan| plan.clients[number].calls /= 2);
        }
        for action in (0..client.mix.len()).filter(|_| client.mix.len() > 1) {
            with(&|plan| _ = plan.clients[number].mix.remove(action));
        }
    }
    smaller
}
