//! Everything about remote calls, for programs: what was measured round by round, and the medians.

use serde_json::{Value, json};

use super::goals::{self, WAYS};
use crate::rpc::results::{GroupResults, Results, SERVER_CPU};

/// `null`, if nothing was measured.
pub(crate) fn json(results: &Results) -> Value {
    if results.is_empty() {
        return Value::Null;
    }
    let peers: Vec<Value> = results
        .subjects
        .iter()
        .map(|subject| {
            json!({
                "name": subject.peer.name,
                "label": subject.peer.label.trim(),
                "version": subject.version,
                "absent": subject.absent,
                "idle_bytes": subject.idle_bytes(),
            })
        })
        .collect();
    let goals: Vec<Value> = goals::goals(results)
        .into_iter()
        .map(|goal| {
            let ways: Value = WAYS
                .into_iter()
                .zip(goal.measured)
                .filter_map(|(way, value)| {
                    let value = value?;
                    Some((way.to_owned(), json!({ "measured": value, "met": goal.bound.is_met(value) })))
                })
                .collect();
            json!({ "what": goal.what, "bound": goal.bound, "measured": ways })
        })
        .collect();
    let groups: Vec<Value> = results.groups.iter().map(|group| self::group(results, group)).collect();
    json!({
        "rounds": results.rounds(),
        "seconds": results.seconds,
        "idle_connections": results.idle,
        "peers": peers,
        "goals": goals,
        "groups": groups,
    })
}

fn group(results: &Results, group: &GroupResults) -> Value {
    let peers: Value = results
        .subjects
        .iter()
        .enumerate()
        .map(|(index, subject)| {
            let measured = &group.measured[index];
            let value = json!({
                "medians": group.summary(index),
                "server_cpu_relative": group.quotient(index, 0, SERVER_CPU),
                "failure": measured.failure,
                "rounds": measured.samples,
            });
            (subject.peer.name.to_owned(), value)
        })
        .collect();
    json!({
        "placement": group.group.placement,
        "shape": group.group.shape,
        "connections": group.group.shape.connections(),
        "callers": group.group.shape.callers(),
        "peers": peers,
    })
}
