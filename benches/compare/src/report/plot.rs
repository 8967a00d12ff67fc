//! Lines over the number of connections, as SVG that stands on its own but for the style sheet.

use std::fmt::Write;

use super::axis::{Axis, Scale};
use super::style::{escape, mark};
use super::text;

pub(super) const WIDTH: f64 = 440.0;
pub(super) const HEIGHT: f64 = 264.0;

/// Where the lines are.
const LEFT: f64 = 56.0;
const RIGHT: f64 = 422.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 222.0;

pub(super) struct Plot<'a> {
    pub(super) title: &'a str,
    pub(super) scale: Scale,
    /// How a value is written.
    pub(super) format: fn(f64) -> String,
    pub(super) connections: Vec<usize>,
    pub(super) series: Vec<Series<'a>>,
}

/// A peer's line.
pub(super) struct Series<'a> {
    pub(super) name: &'a str,
    pub(super) label: &'a str,
    /// Among all subjects.
    pub(super) index: usize,
    /// For each number of connections.
    pub(super) values: Vec<Option<f64>>,
}

impl Plot<'_> {
    /// Whether there is anything to show.
    pub(super) fn is_empty(&self) -> bool {
        self.values().next().is_none()
    }

    pub(super) fn svg(&self) -> String {
        let mut out = format!(
            r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{0}"><text class="title" x="4" y="18">{0}</text>"#,
            escape(self.title)
        );
        out.push('\n');
        let axis = Axis::new(self.scale, (BOTTOM, TOP), self.values());
        for &tick in &axis.ticks {
            let y = axis.y(tick);
            let _ = writeln!(
                out,
                r#"<path class="grid" d="M{LEFT},{y:.1}H{RIGHT}"/><text class="axis" x="{:.0}" y="{:.1}" text-anchor="end">{}</text>"#,
                LEFT - 6.0,
                y + 4.0,
                text::short(&(self.format)(tick)),
            );
        }
        for (place, &connections) in self.connections.iter().enumerate() {
            let _ = writeln!(
                out,
                r#"<text class="axis" x="{:.1}" y="{:.0}" text-anchor="middle">{}</text>"#,
                self.x(place),
                BOTTOM + 17.0,
                text::count(connections as f64),
            );
        }
        let _ = writeln!(
            out,
            r#"<text class="axis" x="{:.0}" y="{:.0}" text-anchor="middle">connections</text>"#,
            f64::midpoint(LEFT, RIGHT),
            BOTTOM + 35.0,
        );
        // The thick one first, so that it hides nobody.
        let (first, rest): (Vec<_>, Vec<_>) = self.series.iter().partition(|series| series.name == "fibra");
        for series in first.into_iter().chain(rest) {
            self.draw(&mut out, series, &axis);
        }
        out.push_str("</svg>\n");
        out
    }

    fn draw(&self, out: &mut String, series: &Series<'_>, axis: &Axis) {
        let points: Vec<(usize, f64)> =
            series.values.iter().enumerate().filter_map(|(place, value)| Some((place, (*value)?))).collect();
        let path: Vec<String> =
            points.iter().map(|&(place, value)| format!("{:.1},{:.1}", self.x(place), axis.y(value))).collect();
        if path.is_empty() {
            return;
        }
        let _ = writeln!(out, r#"<g class="p-{}"><path class="line" d="M{}"/>"#, series.name, path.join("L"));
        for ((place, value), at) in points.iter().zip(&path) {
            let _ = writeln!(
                out,
                r#"<path class="mark" transform="translate({at})" d="{}"><title>{}, {}: {}</title></path>"#,
                mark(series.index),
                escape(series.label),
                text::count(self.connections[*place] as f64),
                (self.format)(*value),
            );
        }
        out.push_str("</g>\n");
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        self.series.iter().flat_map(|series| series.values.iter().flatten().copied())
    }

    fn x(&self, place: usize) -> f64 {
        let inset = 18.0;
        let step = (RIGHT - LEFT - 2.0 * inset) / (self.connections.len() - 1).max(1) as f64;
        LEFT + inset + step * place as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_to_show_is_no_plot() {
        let series = Series { name: "fibra", label: "fibra", index: 0, values: vec![None] };
        let plot =
            Plot { title: "t", scale: Scale::Log, format: text::time, connections: vec![1], series: vec![series] };
        assert!(plot.is_empty());
        assert!(plot.svg().contains("</svg>"), "and no failure either");
    }
}
