//! Remote calls in the page: bars, figures and goals.

use std::fmt::Write;

use super::bars::{Bars, Row};
use super::style::escape;
use super::text;
use crate::options::Placement;
use crate::rpc::report::goals::{self, WAYS, verdict};
use crate::rpc::report::text::{cpu, heading};
use crate::rpc::results::{GroupResults, P50, Results, SERVER_CPU, Summary};
use crate::rpc::shape::Shape;

/// What bars show.
struct Figure {
    title: &'static str,
    value: fn(&Summary) -> f64,
    format: fn(f64) -> String,
}

const CPU: Figure =
    Figure { title: "Server's CPU time for a call, us", value: |summary| summary.server_cpu_us, format: cpu };

const FIGURES: [Figure; 3] = [
    CPU,
    Figure { title: "Calls a second", value: |summary| summary.calls_per_second, format: text::rate },
    Figure { title: "p99", value: |summary| summary.p99_us, format: text::time },
];

/// The whole section, if there is anything to show.
pub(super) fn section(results: &Results) -> String {
    if results.is_empty() {
        return String::new();
    }
    let mut out = String::new();
    for placement in Placement::ALL {
        let groups: Vec<_> = results.groups(placement).collect();
        if groups.is_empty() {
            continue;
        }
        let _ = writeln!(out, "<h2>{}</h2>", escape(&heading(placement)));
        if placement == Placement::Pinned {
            out.push_str(&goals(results));
        }
        out.push_str("<div class=\"plots\">\n");
        for figure in FIGURES {
            out.extend(groups.iter().map(|group| bars(results, group, &figure).svg()));
        }
        out.push_str("</div>\n<details><summary>In figures</summary><div class=\"wide\">\n");
        groups.iter().for_each(|group| table(&mut out, results, group));
        out.push_str("</div></details>\n");
    }
    if let Some(idle) = idle(results) {
        let _ = writeln!(out, "<h2>Memory of idle RPC connections</h2>\n<div class=\"plots\">\n{}</div>", idle.svg());
    }
    out + METHOD
}

const METHOD: &str = "<p>The floor answers frames of the size of fibra's without looking at more than their lengths, as many as one read \
    brought in one write: no server that reads and writes sockets takes less. What a server takes depends on how its client batches. So the \
    floor can be called by fibra's client, and fibra's server by one as bare as the floor: the same load on both tells their servers \
    apart. The others are called by their own clients. CPU time is read while calls go on.</p>\n";

/// The bars of the picture: the most calls under way, and the most connections.
pub(super) fn picture(results: &Results) -> [Option<(String, f64)>; 2] {
    [Shape::Outstanding256, Shape::Connections64].map(|shape| {
        let group = Placement::ALL.into_iter().find_map(|placement| results.group(placement, shape))?;
        let mut bars = bars(results, group, &CPU);
        bars.title = format!("Server's CPU time for add(3, 5), us: {}", shape.label());
        (!bars.rows.is_empty()).then(|| (bars.svg(), bars.height()))
    })
}

fn bars<'a>(results: &'a Results, group: &GroupResults, figure: &Figure) -> Bars<'a> {
    let rows = results.subjects.iter().enumerate().filter_map(|(index, subject)| {
        let value = (figure.value)(&group.summary(index)?);
        let (name, label) = (subject.peer.name, subject.peer.label);
        Some(Row { name, label, value, rest: 0.0, text: (figure.format)(value) })
    });
    Bars { title: format!("{}: {}", figure.title, group.group.shape.label()), rows: rows.collect() }
}

fn idle(results: &Results) -> Option<Bars<'_>> {
    let rows = results.subjects.iter().filter_map(|subject| {
        let bytes = subject.idle_bytes()?;
        let (name, label) = (subject.peer.name, subject.peer.label);
        Some(Row { name, label, value: bytes, rest: 0.0, text: text::count(bytes) })
    });
    let rows: Vec<_> = rows.collect();
    let title = format!("Bytes for each of {} idle connections, on the server", text::count(results.idle as f64));
    (!rows.is_empty()).then_some(Bars { title, rows })
}

/// One group in figures.
fn table(out: &mut String, results: &Results, group: &GroupResults) {
    const HEAD: [&str; 9] =
        ["CPU us", "relative", "calls/s", "p50", "relative", "p99", "server busy", "client busy", "others busy"];
    let _ = write!(out, "<table><tr><th>{}</th>", group.group.shape.label());
    for title in HEAD {
        let _ = write!(out, "<th>{title}</th>");
    }
    out.push_str("</tr>\n");
    for (index, subject) in results.subjects.iter().enumerate() {
        let relative =
            |figure| group.quotient(index, 0, figure).map_or(String::new(), |relative: f64| format!("{relative:.2}"));
        let cells = match (group.summary(index), &group.measured[index].failure) {
            (_, Some(failure)) => format!("<td colspan=\"{}\">failed: {}</td>", HEAD.len(), escape(failure)),
            (Some(summary), None) => [
                cpu(summary.server_cpu_us),
                relative(SERVER_CPU),
                text::rate(summary.calls_per_second),
                text::time(summary.p50_us),
                relative(P50),
                text::time(summary.p99_us),
                format!("{:.0}%", summary.server_busy * 100.0),
                format!("{:.0}%", summary.client_busy * 100.0),
                format!("{:.0}%", summary.others_busy * 100.0),
            ]
            .map(|cell| format!("<td>{cell}</td>"))
            .concat(),
            (None, None) => continue,
        };
        let _ = writeln!(out, "<tr><td>{}</td>{cells}</tr>", escape(subject.peer.label));
    }
    out.push_str("</table><br>\n");
}

fn goals(results: &Results) -> String {
    let goals = goals::goals(results);
    if goals.is_empty() {
        return String::new();
    }
    let mut out = String::from("<div class=\"wide\"><table><tr><th>goals</th><th></th>");
    for way in WAYS {
        let _ = write!(out, "<th>{}</th>", escape(way));
    }
    out.push_str("</tr>\n");
    for goal in goals {
        let _ = write!(out, "<tr><td>{}</td><td>{}</td>", escape(goal.what), goal.bound.text());
        for value in goal.measured {
            let _ = write!(out, "<td>{}</td>", value.map_or(String::new(), |value| verdict(goal.bound, value)));
        }
        out.push_str("</tr>\n");
    }
    out + "</table></div><br>\n"
}
