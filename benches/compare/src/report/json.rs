//! Everything, for programs: what was measured round by round, and the medians.

use std::io;

use serde_json::{Value, json};

use crate::results::{GroupResults, Results, Subject};

pub(super) fn json(results: &Results) -> io::Result<String> {
    let peers: Vec<Value> = results.subjects.iter().map(subject).collect();
    let groups: Vec<Value> = results.groups.iter().map(|group| self::group(results, group)).collect();
    Ok(serde_json::to_string_pretty(&json!({
        "machine": results.machine,
        "seconds": results.seconds,
        "open_share": results.open_share,
        "rounds": results.rounds(),
        "notes": results.notes(),
        "peers": peers,
        "groups": groups,
        "rpc": crate::rpc::report::json::json(&results.rpc),
    }))?)
}

fn subject(subject: &Subject) -> Value {
    let by_workload = |value: &dyn Fn(crate::serve::Workload) -> Value| -> Value {
        crate::serve::Workload::ALL.map(|workload| (workload.name().to_owned(), value(workload))).into_iter().collect()
    };
    json!({
        "name": subject.peer.name,
        "label": subject.peer.label,
        "language": subject.peer.language,
        "version": subject.version,
        "absent": subject.absent,
        "handler_lines": by_workload(&|workload| {
            subject.lines.iter().find(|(of, _)| *of == workload).map(|(_, lines)| *lines).into()
        }),
        "system_calls_per_request": by_workload(&|workload| {
            json!(subject.syscalls.iter().find(|(of, _)| *of == workload).map(|(_, calls)| calls))
        }),
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
                "failure": measured.failure,
                "rounds": measured.samples,
            });
            (subject.peer.name.to_owned(), value)
        })
        .collect();
    json!({
        "workload": group.group.workload,
        "placement": group.group.placement,
        "connections": group.group.connections,
        "open_rate": group.open_rate.filter(|_| group.group.open),
        "peers": peers,
    })
}
