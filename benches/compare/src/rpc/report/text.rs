//! Tables of remote calls for a terminal.

use std::fmt::Write;

use super::goals::{self, WAYS, verdict};
use crate::options::Placement;
use crate::report::text::{count, place, rate, time};
use crate::rpc::plan::Group;
use crate::rpc::results::{GroupResults, Results, SERVER_CPU, Sample, Summary};

/// What a table shows of each peer in each shape.
type Cell = fn(&Summary) -> String;

const TABLES: [(&str, Cell); 3] = [
    ("calls/s", |summary| rate(summary.calls_per_second)),
    ("p50, p99", |summary| format!("{} {}", time(summary.p50_us), time(summary.p99_us))),
    ("busy: server, client", |summary| {
        format!("{:.0}% {:.0}%", summary.server_busy * 100.0, summary.client_busy * 100.0)
    }),
];

/// All tables.
pub(crate) fn tables(results: &Results) -> String {
    let mut out = String::new();
    if results.is_empty() {
        return out;
    }
    for placement in Placement::ALL {
        let groups: Vec<_> = results.groups(placement).collect();
        if groups.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n{}", heading(placement));
        let columns: Vec<_> = groups.iter().map(|group| group.group.shape.label().to_owned()).collect();
        let rows = |cell: &dyn Fn(&GroupResults, usize) -> Option<String>| -> Vec<_> {
            let subjects = results.subjects.iter().enumerate();
            subjects
                .map(|(index, subject)| {
                    (subject.peer.label, groups.iter().map(|group| cell(group, index)).collect::<Vec<_>>())
                })
                .collect()
        };
        let cost = |group: &GroupResults, index: usize| {
            let relative = group.quotient(index, 0, SERVER_CPU)?;
            Some(format!("{} {relative:.2}", cpu(group.summary(index)?.server_cpu_us)))
        };
        table(&mut out, "server's CPU time for a call, us, and relative to the first", &columns, &rows(&cost));
        for (title, cell) in TABLES {
            let of = |group: &GroupResults, index: usize| group.summary(index).map(|summary| cell(&summary));
            table(&mut out, title, &columns, &rows(&of));
        }
    }
    let idle: Vec<_> = results
        .subjects
        .iter()
        .filter_map(|subject| Some((subject.peer.label, vec![Some(format!("{:.0}", subject.idle_bytes()?))])))
        .collect();
    if !idle.is_empty() {
        out.push('\n');
        let title = format!("resident for each of {} idle connections, on the server", count(results.idle as f64));
        table(&mut out, &title, &["bytes".to_owned()], &idle);
    }
    let goals: Vec<_> = goals::goals(results)
        .into_iter()
        .map(|goal| {
            let verdicts = goal.measured.map(|value| value.map(|value| verdict(goal.bound, value)));
            (goal.what, [vec![Some(goal.bound.text())], verdicts.to_vec()].concat())
        })
        .collect();
    if !goals.is_empty() {
        out.push('\n');
        let columns = [&["goal"], &WAYS[..]].concat().into_iter().map(str::to_owned).collect::<Vec<_>>();
        table(&mut out, "goals, server on one CPU, client on another", &columns, &goals);
    }
    out
}

fn table(out: &mut String, title: &str, columns: &[String], rows: &[(&str, Vec<Option<String>>)]) {
    let cell =
        |row: &[Option<String>], column: usize| row.get(column).cloned().flatten().unwrap_or_else(|| "-".to_owned());
    let names = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(24);
    let _ = write!(out, "{title}\n  {:<names$}", "");
    let widths: Vec<_> = (0..columns.len())
        .map(|column| {
            let cells = rows.iter().map(|(_, row)| cell(row, column).chars().count());
            cells.max().unwrap_or(0).max(columns[column].chars().count())
        })
        .collect();
    for (name, width) in columns.iter().zip(&widths) {
        let _ = write!(out, "{name:>width$}   ");
    }
    out.push('\n');
    for (name, row) in rows {
        let _ = write!(out, "  {name:<names$}");
        for (column, width) in widths.iter().enumerate() {
            let _ = write!(out, "{:>width$}   ", cell(row, column));
        }
        out.push('\n');
    }
}

pub(crate) fn heading(placement: Placement) -> String {
    format!("Remote calls of add(3, 5); {}", place(placement))
}

/// A group in a progress line.
pub(crate) fn title(group: &Group) -> String {
    format!("rpc, {}, {}", group.placement.name(), group.shape.label())
}

/// A sample in a progress line.
pub(crate) fn in_short(sample: &Sample) -> String {
    let load = &sample.load;
    format!("{} us of CPU, {} calls/s", cpu(load.server_cpu_us), rate(load.requests_per_second))
}

/// Microseconds, with a nanosecond's digit where it matters.
pub(crate) fn cpu(us: f64) -> String {
    if us < 10.0 { format!("{us:.3}") } else { format!("{us:.1}") }
}
