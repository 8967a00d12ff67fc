//! Which plots there are: from results to lines and bars.

use super::axis::Scale;
use super::bars::{Bars, Row};
use super::plot::{Plot, Series};
use super::text;
use crate::options::Placement;
use crate::results::{GroupResults, Results, Summary};
use crate::serve::Workload;

/// What a line plot shows.
pub(super) struct Figure {
    pub(super) title: &'static str,
    scale: Scale,
    format: fn(f64) -> String,
    value: fn(&Summary) -> Option<f64>,
}

pub(super) const THROUGHPUT: Figure = Figure {
    title: "Requests a second, closed loop",
    scale: Scale::Linear,
    format: text::rate,
    value: |summary| Some(summary.requests_per_second),
};

pub(super) const CLOSED_P99: Figure = Figure {
    title: "p99, closed loop",
    scale: Scale::Log,
    format: text::time,
    value: |summary| Some(summary.closed.p99_us),
};

pub(super) const OPEN_P99: Figure = Figure {
    title: "p99, open loop",
    scale: Scale::Log,
    format: text::time,
    value: |summary| summary.open.map(|open| open.p99_us),
};

/// All that there are for each workload and placement.
pub(super) const ALL: [Figure; 9] = [
    THROUGHPUT,
    Figure {
        title: "Requests a second, relative to the first",
        scale: Scale::Linear,
        format: |relative| format!("{relative:.2}"),
        value: |summary| summary.relative,
    },
    Figure {
        title: "Server's CPU time for a request, closed loop",
        scale: Scale::Log,
        format: text::time,
        value: |summary| Some(summary.server_cpu_us),
    },
    Figure {
        title: "p50, closed loop",
        scale: Scale::Log,
        format: text::time,
        value: |summary| Some(summary.closed.p50_us),
    },
    CLOSED_P99,
    Figure {
        title: "p99.9, closed loop",
        scale: Scale::Log,
        format: text::time,
        value: |summary| Some(summary.closed.p999_us),
    },
    Figure {
        title: "p50, open loop",
        scale: Scale::Log,
        format: text::time,
        value: |summary| summary.open.map(|open| open.p50_us),
    },
    OPEN_P99,
    Figure {
        title: "p99.9, open loop",
        scale: Scale::Log,
        format: text::time,
        value: |summary| summary.open.map(|open| open.p999_us),
    },
];

/// The groups of one workload and placement, by connections.
pub(super) fn groups(results: &Results, workload: Workload, placement: Placement) -> Vec<&GroupResults> {
    let wanted = |group: &&GroupResults| (group.group.workload, group.group.placement) == (workload, placement);
    let mut groups: Vec<_> = results.groups.iter().filter(wanted).collect();
    groups.sort_by_key(|group| group.group.connections);
    groups
}

impl Figure {
    /// The plot of these groups, if it would show anything.
    pub(super) fn plot<'a>(&'a self, results: &'a Results, groups: &[&GroupResults]) -> Option<Plot<'a>> {
        let series = results.subjects.iter().enumerate().map(|(index, subject)| Series {
            name: subject.peer.name,
            label: subject.peer.label,
            index,
            values: groups.iter().map(|group| group.summary(index).as_ref().and_then(self.value)).collect(),
        });
        let plot = Plot {
            title: self.title,
            scale: self.scale,
            format: self.format,
            connections: groups.iter().map(|group| group.group.connections).collect(),
            series: series.collect(),
        };
        (!plot.is_empty()).then_some(plot)
    }
}

/// What an idle connection takes: of each peer where it had most of them.
pub(super) fn memory(results: &Results) -> Option<Bars<'_>> {
    let connections_of = |group: &GroupResults| group.group.connections;
    let most = connections_of(&results.groups[text::largest_idle(results, None)?]);
    let rows = results.subjects.iter().enumerate().filter_map(|(index, subject)| {
        let group = &results.groups[text::largest_idle(results, Some(index))?];
        let idle = group.summary(index)?.idle?;
        let mut text = format!("{:.1}", idle.resident_kib + idle.page_tables_kib);
        if connections_of(group) < most {
            text.push_str(&format!(" ({})", text::count(connections_of(group) as f64)));
        }
        let (name, label) = (subject.peer.name, subject.peer.label);
        Some(Row { name, label, value: idle.resident_kib, rest: idle.page_tables_kib, text })
    });
    let title = format!("KiB for each of {} idle connections (pale: page tables)", text::count(most as f64));
    Some(Bars { title, rows: rows.collect() })
}

/// How many threads there are with the most connections.
pub(super) fn threads(results: &Results) -> Option<Bars<'_>> {
    let group = &results.groups[text::largest_idle(results, None)?];
    let rows = results.subjects.iter().enumerate().filter_map(|(index, subject)| {
        let threads = group.summary(index)?.threads;
        let (name, label) = (subject.peer.name, subject.peer.label);
        Some(Row { name, label, value: threads, rest: 0.0, text: text::count(threads) })
    });
    let title = format!("Threads of the system, at {} connections", text::count(group.group.connections as f64));
    Some(Bars { title, rows: rows.collect() })
}

/// Lines of handler code.
pub(super) fn lines(results: &Results, workload: Workload) -> Bars<'_> {
    let rows = results.subjects.iter().filter_map(|subject| {
        let (_, lines) = subject.lines.iter().find(|(of, _)| *of == workload)?;
        let (name, label) = (subject.peer.name, subject.peer.label);
        Some(Row { name, label, value: *lines as f64, rest: 0.0, text: lines.to_string() })
    });
    let title = format!("Lines of code of the {} handler", workload.name());
    Bars { title, rows: rows.collect() }
}
