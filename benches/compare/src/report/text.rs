//! Tables for a terminal, and how figures are written everywhere.

use std::fmt::Write;

use super::figures;
use crate::options::Placement;
use crate::plan::Group;
use crate::results::{Results, Sample, Summary};
use crate::rpc;
use crate::serve::Workload;

/// What a table shows of each peer at each number of connections.
type Cell = fn(&Summary) -> Option<String>;

const TABLES: [(&str, Cell); 4] = [
    ("requests/s, and relative to the first", |summary| {
        let relative = summary.relative.map_or(String::new(), |relative| format!(" {relative:.2}"));
        Some(format!("{}{relative}", rate(summary.requests_per_second)))
    }),
    ("closed loop: p50, p99, p99.9", |summary| Some(percentiles(&summary.closed))),
    ("open loop: p50, p99, p99.9", |summary| summary.open.as_ref().map(percentiles)),
    ("server's CPU time for a request, us", |summary| Some(format!("{:.1}", summary.server_cpu_us))),
];

/// All tables.
pub(crate) fn tables(results: &Results) -> String {
    let mut out = format!("\n{}\n", method(results));
    out.push_str(&rpc::report::text::tables(&results.rpc));
    for placement in Placement::ALL {
        for workload in Workload::ALL {
            let groups = figures::groups(results, workload, placement);
            if groups.is_empty() {
                continue;
            }
            let _ = writeln!(out, "\n{}", heading(workload, placement));
            for (title, cell) in TABLES {
                let rows: Vec<Vec<Option<String>>> = (0..results.subjects.len())
                    .map(|index| {
                        groups.iter().map(|group| group.summary(index).and_then(|summary| cell(&summary))).collect()
                    })
                    .collect();
                if rows.iter().flatten().all(Option::is_none) {
                    continue;
                }
                let columns = groups.iter().map(|group| count(group.group.connections as f64));
                table(&mut out, results, title, &columns.collect::<Vec<_>>(), &rows);
            }
        }
    }
    if !results.groups.is_empty() {
        resources(&mut out, results);
    }
    for note in results.notes() {
        let _ = writeln!(out, "\nnote: {note}");
    }
    out
}

/// Memory, threads, lines and system calls.
fn resources(out: &mut String, results: &Results) {
    let names = ["lines: echo", "request", "resident KiB", "page tables", "threads", "at connections"];
    let rows: Vec<Vec<Option<String>>> = results
        .subjects
        .iter()
        .enumerate()
        .map(|(index, subject)| {
            let mut row: Vec<_> = subject.lines.iter().map(|(_, lines)| Some(lines.to_string())).collect();
            let group = largest_idle(results, Some(index)).map(|group| &results.groups[group]);
            let summary = group.and_then(|group| group.summary(index));
            let idle = summary.as_ref().and_then(|summary| summary.idle);
            row.push(idle.map(|idle| format!("{:.2}", idle.resident_kib)));
            row.push(idle.map(|idle| format!("{:.2}", idle.page_tables_kib)));
            row.push(summary.map(|summary| count(summary.threads)));
            row.push(group.map(|group| count(group.group.connections as f64)));
            row
        })
        .collect();
    out.push('\n');
    table(
        out,
        results,
        "lines of handler code; memory of an idle connection; threads",
        &names.map(str::to_owned),
        &rows,
    );
    for workload in Workload::ALL {
        for subject in &results.subjects {
            for (_, calls) in subject.syscalls.iter().filter(|(of, _)| *of == workload) {
                let list =
                    calls.iter().map(|(name, calls)| format!("{name} {calls:.2}")).collect::<Vec<_>>().join("; ");
                let _ = writeln!(out, "system calls, {}, {}: {list}", workload.name(), subject.peer.label);
            }
        }
    }
}

/// The group with the most idle connections, of the subject at an index or of any; echo and pinned if there is a choice.
pub(super) fn largest_idle(results: &Results, subject: Option<usize>) -> Option<usize> {
    let has_idle = |group: &usize| {
        let measured = results.groups[*group].measured.iter().enumerate();
        let mut of_subject = measured.filter(|(index, _)| subject.is_none_or(|subject| subject == *index));
        of_subject.any(|(_, measured)| measured.samples.iter().any(|sample| sample.idle.is_some()))
    };
    (0..results.groups.len()).filter(has_idle).max_by_key(|&group| {
        let group = results.groups[group].group;
        (group.connections, group.workload == Workload::Echo, group.placement == Placement::Pinned)
    })
}

fn table(out: &mut String, results: &Results, title: &str, columns: &[String], rows: &[Vec<Option<String>>]) {
    let cell =
        |row: &[Option<String>], column: usize| row.get(column).cloned().flatten().unwrap_or_else(|| "-".to_owned());
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(column, name)| {
            rows.iter().map(|row| cell(row, column).chars().count()).max().unwrap_or(0).max(name.len())
        })
        .collect();
    let _ = write!(out, "{title}\n  {:<24}", "");
    for (name, width) in columns.iter().zip(&widths) {
        let _ = write!(out, "{name:>width$}   ");
    }
    out.push('\n');
    for (subject, row) in results.subjects.iter().zip(rows) {
        let _ = write!(out, "  {:<24}", subject.peer.label);
        for (column, width) in widths.iter().enumerate() {
            let _ = write!(out, "{:>width$}   ", cell(row, column));
        }
        out.push('\n');
    }
}

/// How it was measured, in a sentence.
pub(super) fn method(results: &Results) -> String {
    let rounds = match results.rounds() {
        1 => "one round".to_owned(),
        rounds => format!("medians of {rounds} interleaved rounds"),
    };
    format!(
        "{}, {} CPUs, {}, {}, {}; {rounds} of {} s each.",
        results.machine.name,
        results.machine.cpus,
        results.machine.kernel,
        results.machine.date,
        results.machine.compiler,
        results.seconds,
    )
}

pub(crate) fn heading(workload: Workload, placement: Placement) -> String {
    let what = match workload {
        Workload::Echo => "Echo of 64 bytes",
        Workload::Request => "Request: a frame, 5 us of CPU, 1 ms of pause in 1 of 100",
    };
    format!("{what}; {}", place(placement))
}

pub(crate) fn place(placement: Placement) -> &'static str {
    match placement {
        Placement::Pinned => "server on one CPU, client on another",
        Placement::Shared => "server and client on the same CPU",
        Placement::Unpinned => "server and client on all CPUs",
    }
}

/// A group in a progress line.
pub(crate) fn title(group: &Group) -> String {
    let Group { workload, placement, connections, .. } = group;
    format!("{}, {}, {}", workload.name(), placement.name(), count(*connections as f64))
}

/// A sample in a progress line.
pub(crate) fn in_short(sample: &Sample) -> String {
    let Sample { closed, open, .. } = sample;
    let open = open.as_ref().map_or(String::new(), |open| format!(", open loop p99 {}", time(open.latency.p99_us)));
    format!("{} requests/s, p99 {}{open}", rate(closed.requests_per_second), time(closed.latency.p99_us))
}

fn percentiles(of: &crate::results::Percentiles) -> String {
    format!("{} {} {}", time(of.p50_us), time(of.p99_us), time(of.p999_us))
}

/// Requests a second.
pub(crate) fn rate(rate: f64) -> String {
    match rate {
        ..1e4 => format!("{:.2}k", rate / 1e3),
        ..1e5 => format!("{:.1}k", rate / 1e3),
        ..1e6 => format!("{:.0}k", rate / 1e3),
        _ => format!("{:.2}M", rate / 1e6),
    }
}

/// Microseconds.
pub(crate) fn time(us: f64) -> String {
    match us {
        ..10.0 => format!("{us:.1}us"),
        ..1e3 => format!("{us:.0}us"),
        ..1e4 => format!("{:.1}ms", us / 1e3),
        ..1e6 => format!("{:.0}ms", us / 1e3),
        _ => format!("{:.1}s", us / 1e6),
    }
}

/// A figure without the zeros that say nothing, as an axis shows it: `60k` for `60.0k`.
pub(super) fn short(figure: &str) -> String {
    let Some((whole, rest)) = figure.split_once('.') else { return figure.to_owned() };
    let unit_at = rest.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(rest.len());
    let (fraction, unit) = rest.split_at(unit_at);
    match (whole, fraction.trim_end_matches('0')) {
        ("0", "") => "0".to_owned(),
        (whole, "") => format!("{whole}{unit}"),
        (whole, fraction) => format!("{whole}.{fraction}{unit}"),
    }
}

/// A whole number with its thousands apart.
pub(crate) fn count(count: f64) -> String {
    let digits = format!("{count:.0}");
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_or_so() {
        assert_eq!([8_630.0, 175_400.0, 1_932_000.0].map(rate), ["8.63k", "175k", "1.93M"]);
        assert_eq!([5.25, 990.0, 7_600.0, 486_900.0, 2e6].map(time), ["5.2us", "990us", "7.6ms", "487ms", "2.0s"]);
        assert_eq!(["0.00k", "60.0k", "1.50ms", "10us", "0.20"].map(short), ["0", "60k", "1.5ms", "10us", "0.2"]);
        assert_eq!([7.0, 999.0, 1000.0, 1_234_567.0].map(count), ["7", "999", "1,000", "1,234,567"]);
    }
}
