//! The page: every plot, every figure and the code, in one file that needs nothing else. Its frame is `page.html`.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::style::{escape, mark, sheet};
use super::text;
use super::{figures, rpc};
use crate::options::Placement;
use crate::results::{GroupResults, Results, Summary};
use crate::serve::Workload;

pub(super) fn page(results: &Results) -> String {
    let parts = [
        ("{{sheet}}", sheet()),
        ("{{toggles}}", toggles(results)),
        ("{{method}}", escape(&text::method(results))),
        ("{{versions}}", versions(results)),
        ("{{remarks}}", remarks(results)),
        ("{{peers}}", peers(results)),
        ("{{sections}}", sections(results)),
        ("{{rpc}}", rpc::section(&results.rpc)),
        ("{{resources}}", resources(results)),
        ("{{system-calls}}", system_calls(results)),
        ("{{share}}", format!("{:.0}%", results.open_share * 100.0)),
        // Last: it is not ours to look for marks in.
        ("{{code}}", code(results)),
    ];
    parts.iter().fold(include_str!("page.html").to_owned(), |page, (mark, part)| page.replace(mark, part))
}

/// Hides the lines of those who are not ticked.
fn toggles(results: &Results) -> String {
    let names = results.subjects.iter().map(|subject| subject.peer.name);
    names.map(|name| format!("body:has(#show-{name}:not(:checked)) .plots .p-{name}{{display:none}}\n")).collect()
}

fn versions(results: &Results) -> String {
    let versions: BTreeSet<String> = results
        .subjects
        .iter()
        .filter_map(|subject| {
            // Two flavours of one crate have one version.
            let name = match subject.peer.name {
                "event-loop" => "mio",
                name => name.split('-').next().unwrap_or(name),
            };
            Some(format!("{name} {}", subject.version.as_deref()?.trim_start_matches("go")))
        })
        .chain(results.rpc.subjects.iter().filter_map(|subject| {
            let name = subject.peer.name.split('-').next().unwrap_or_default();
            Some(format!("{name} {}", subject.version.as_deref()?.trim_start_matches("go")))
        }))
        .collect();
    escape(&versions.into_iter().collect::<Vec<_>>().join(", "))
}

fn remarks(results: &Results) -> String {
    results.notes().into_iter().map(|remark| format!("<p>Note: {}.</p>\n", escape(&remark))).collect()
}

fn peers(results: &Results) -> String {
    let mut out = String::new();
    for (index, subject) in results.subjects.iter().enumerate().filter(|(_, subject)| subject.absent.is_none()) {
        let _ = writeln!(
            out,
            r#"<label class="p-{0}"><input type="checkbox" id="show-{0}" checked><svg viewBox="0 -7 30 14"><path class="line" d="M0,0h30"/><path class="mark" transform="translate(15,0)" d="{1}"/></svg>{2}</label>"#,
            subject.peer.name,
            mark(index),
            escape(subject.peer.label),
        );
    }
    out
}

/// Plots and figures for each workload and placement.
fn sections(results: &Results) -> String {
    let mut out = String::new();
    for placement in Placement::ALL {
        for workload in Workload::ALL {
            let groups = figures::groups(results, workload, placement);
            if groups.is_empty() {
                continue;
            }
            let _ = writeln!(out, "<h2>{}</h2>\n<div class=\"plots\">", escape(&text::heading(workload, placement)));
            for plot in figures::ALL.iter().filter_map(|figure| figure.plot(results, &groups)) {
                out.push_str(&plot.svg());
            }
            out.push_str("</div>\n<details><summary>In figures</summary><div class=\"wide\">\n");
            for group in groups {
                table(&mut out, results, group);
            }
            out.push_str("</div></details>\n");
        }
    }
    out
}

/// One group in figures.
fn table(out: &mut String, results: &Results, group: &GroupResults) {
    const HEAD: [&str; 13] = [
        "requests/s",
        "relative",
        "p50",
        "p99",
        "p99.9",
        "open: p50",
        "p99",
        "p99.9",
        "unanswered",
        "CPU us",
        "server busy",
        "client busy",
        "others busy",
    ];
    let due = group
        .open_rate
        .filter(|_| group.group.open)
        .map_or(String::new(), |rate| format!("; in the open loop {} requests/s were due", text::rate(rate)));
    let connections = text::count(group.group.connections as f64);
    let _ = write!(out, "<table><tr><th>{connections} connections{due}</th>");
    for title in HEAD {
        let _ = write!(out, "<th>{title}</th>");
    }
    out.push_str("</tr>\n");
    for (index, subject) in results.subjects.iter().enumerate() {
        let cells = match (group.summary(index), &group.measured[index].failure) {
            (_, Some(failure)) => format!("<td colspan=\"13\">failed: {}</td>", escape(failure)),
            (Some(summary), None) => row(&summary),
            (None, None) => continue,
        };
        let _ = writeln!(out, "<tr><td>{}</td>{cells}</tr>", escape(subject.peer.label));
    }
    out.push_str("</table><br>\n");
}

fn row(summary: &Summary) -> String {
    let Summary { closed, open, .. } = summary;
    let open = |figure: fn(&crate::results::Percentiles) -> f64| {
        open.as_ref().map_or(String::new(), |open| text::time(figure(open)))
    };
    [
        text::rate(summary.requests_per_second),
        summary.relative.map_or(String::new(), |relative| format!("{relative:.3}")),
        text::time(closed.p50_us),
        text::time(closed.p99_us),
        text::time(closed.p999_us),
        open(|open| open.p50_us),
        open(|open| open.p99_us),
        open(|open| open.p999_us),
        summary.open.map_or(String::new(), |_| summary.unanswered.to_string()),
        format!("{:.2}", summary.server_cpu_us),
        format!("{:.0}%", summary.server_busy * 100.0),
        format!("{:.0}%", summary.client_busy * 100.0),
        format!("{:.0}%", summary.others_busy * 100.0),
    ]
    .map(|cell| format!("<td>{cell}</td>"))
    .concat()
}

fn resources(results: &Results) -> String {
    // Without connections of streams there is nothing to say of them.
    if results.groups.is_empty() {
        return String::new();
    }
    let lines = Workload::ALL.map(|workload| figures::lines(results, workload));
    let bars = [figures::memory(results), figures::threads(results)].into_iter().flatten().chain(lines);
    bars.map(|bars| bars.svg()).collect()
}

fn system_calls(results: &Results) -> String {
    let mut out = String::new();
    for workload in Workload::ALL {
        let counted: Vec<_> = results
            .subjects
            .iter()
            .filter_map(|subject| {
                let (_, calls) = subject.syscalls.iter().find(|(of, _)| *of == workload)?;
                Some((subject, calls))
            })
            .collect();
        // What less than one request in a thousand makes is left out.
        let names: BTreeSet<&String> = counted
            .iter()
            .flat_map(|(_, calls)| calls.iter())
            .filter(|(_, n)| **n >= 0.001)
            .map(|(name, _)| name)
            .collect();
        if names.is_empty() {
            continue;
        }
        let _ = write!(
            out,
            "<h2>System calls for a request, {}, {} connections</h2>\n<div class=\"wide\"><table><tr><th></th>",
            workload.name(),
            crate::syscalls::CONNECTIONS
        );
        for name in &names {
            let _ = write!(out, "<th>{}</th>", escape(name));
        }
        out.push_str("</tr>\n");
        for (subject, calls) in &counted {
            let _ = write!(out, "<tr><td>{}</td>", escape(subject.peer.label));
            for &name in &names {
                let _ =
                    write!(out, "<td>{}</td>", calls.get(name).map_or(String::new(), |calls| format!("{calls:.3}")));
            }
            out.push_str("</tr>\n");
        }
        out.push_str("</table></div>\n");
    }
    out
}

/// Every handler; what two peers share is shown once.
fn code(results: &Results) -> String {
    let mut out = String::new();
    for workload in Workload::ALL {
        let _ = writeln!(out, "<details><summary>{}</summary><div class=\"code\">", workload.name());
        let mut shown: Vec<String> = Vec::new();
        for subject in &results.subjects {
            let handler = subject.peer.handler(workload);
            if !shown.contains(&handler) {
                let peer = subject.peer;
                let label = escape(if peer.name.starts_with("tokio") { "tokio" } else { peer.label });
                let _ = writeln!(
                    out,
                    "<div class=\"p-{}\"><h3>{label}</h3><pre>{}</pre></div>",
                    peer.name,
                    escape(handler.trim_end())
                );
            }
            shown.push(handler);
        }
        out.push_str("</div></details>\n");
    }
    out
}
