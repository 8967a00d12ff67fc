//! The picture: throughput, latency, memory, code and remote calls, in one SVG that a README can show.

use std::fmt::Write;

use super::figures::{self, CLOSED_P99, Figure, OPEN_P99, THROUGHPUT};
use super::plot::{HEIGHT, WIDTH};
use super::style::{escape, legend, sheet};
use super::text;
use crate::options::Placement;
use crate::results::Results;
use crate::serve::Workload;

const GAP: f64 = 20.0;

pub(super) fn picture(results: &Results) -> String {
    let width = 2.0 * WIDTH + 3.0 * GAP;
    let (legend, legend_height) = legend(results, width - 2.0 * GAP);
    let mut body = format!(r#"<g transform="translate({GAP},{GAP})">{legend}</g>"#);
    let mut y = GAP + legend_height + GAP;
    let echo = best_placement(results, Workload::Echo);
    let request = best_placement(results, Workload::Request);
    y += row(
        &mut body,
        y,
        [plot(results, Workload::Echo, echo, &THROUGHPUT), latency(results, Workload::Request, request)],
    );
    let memory = figures::memory(results).map(|memory| (memory.svg(), memory.height()));
    let lines = (!results.groups.is_empty()).then(|| figures::lines(results, Workload::Request));
    y += row(&mut body, y, [memory, lines.map(|lines| (lines.svg(), lines.height()))]);
    y += row(&mut body, y, super::rpc::picture(&results.rpc));
    let _ =
        writeln!(body, r#"<text class="axis" x="{GAP}" y="{:.0}">{}</text>"#, y + 6.0, escape(&text::method(results)));
    let height = y + GAP;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\n\
         <style>{}</style>\n<rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n{body}</svg>\n",
        sheet()
    )
}

/// Pinned, if that was measured.
fn best_placement(results: &Results, workload: Workload) -> Placement {
    let measured = |placement| !figures::groups(results, workload, placement).is_empty();
    if measured(Placement::Pinned) { Placement::Pinned } else { Placement::Unpinned }
}

/// In the open loop, if that was measured at more than one number of connections.
fn latency(results: &Results, workload: Workload, placement: Placement) -> Option<(String, f64)> {
    let groups = figures::groups(results, workload, placement);
    let open = groups.iter().filter(|group| group.group.open).count() > 1;
    plot(results, workload, placement, if open { &OPEN_P99 } else { &CLOSED_P99 })
}

fn plot(results: &Results, workload: Workload, placement: Placement, figure: &Figure) -> Option<(String, f64)> {
    let mut plot = figure.plot(results, &figures::groups(results, workload, placement))?;
    let service = match workload {
        Workload::Echo => "echo of 64 bytes",
        Workload::Request => "5 us of CPU, 1 ms of pause in 1 of 100",
    };
    let title = format!("{}: {service}", figure.title);
    plot.title = &title;
    Some((plot.svg(), HEIGHT))
}

/// Puts panels beside each other, and returns how much height that took.
fn row(body: &mut String, y: f64, panels: [Option<(String, f64)>; 2]) -> f64 {
    let mut tallest = 0.0_f64;
    for (place, (svg, height)) in panels.into_iter().flatten().enumerate() {
        let x = GAP + place as f64 * (WIDTH + GAP);
        body.push_str(&svg.replacen("<svg ", &format!("<svg x=\"{x}\" y=\"{y}\" "), 1));
        tallest = tallest.max(height + GAP);
    }
    tallest
}
