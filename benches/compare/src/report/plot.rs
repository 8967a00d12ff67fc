//! Lines over the number of connections, as SVG that stands on its own but for the style sheet.

use std::fmt::Write;

use super::style::{escape, mark};
use super::text;

pub(super) const WIDTH: f64 = 440.0;
pub(super) const HEIGHT: f64 = 264.0;

/// Where the lines are.
const LEFT: f64 = 56.0;
const RIGHT: f64 = 422.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 222.0;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    Log,
}

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
        let axis = Axis::new(self.scale, self.values());
        for &tick in &axis.ticks {
            let y = axis.y(tick);
            let _ = writeln!(
                out,
                r#"<path class="grid" d="M{LEFT},{y:.1}H{RIGHT}"/><text class="axis" x="{:.0}" y="{:.1}" text-anchor="end">{}</text>"#,
                LEFT - 6.0,
                y + 4.0,
                (self.format)(tick),
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

/// The vertical axis.
struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
    ticks: Vec<f64>,
}

impl Axis {
    fn new(scale: Scale, values: impl Iterator<Item = f64>) -> Self {
        let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
        for value in values {
            (low, high) = (low.min(value), high.max(value));
        }
        match scale {
            Scale::Linear => {
                let step = nice_step(high);
                let steps = (high / step).ceil().max(1.0);
                let ticks = (0..=steps as u32).map(|n| f64::from(n) * step).collect();
                Axis { scale, low: 0.0, high: steps * step, ticks }
            }
            Scale::Log => {
                let decade = |value: f64| value.max(1e-3).log10();
                let (first, last) = (decade(low).floor() as i32, decade(high).ceil() as i32);
                let last = last.max(first + 1);
                let ticks = (first..=last).map(|exponent| 10_f64.powi(exponent)).collect();
                Axis { scale, low: f64::from(first), high: f64::from(last), ticks }
            }
        }
    }

    fn y(&self, value: f64) -> f64 {
        let value = match self.scale {
            Scale::Linear => value,
            Scale::Log => value.max(1e-3).log10(),
        };
        BOTTOM - (value - self.low) / (self.high - self.low) * (BOTTOM - TOP)
    }
}

/// 1, 2 or 5 times a power of ten, of which `high` has about four.
fn nice_step(high: f64) -> f64 {
    let rough = (high / 4.0).max(1e-9);
    let power = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0].map(|factor| factor * power).into_iter().find(|&step| step >= rough).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_spans_its_values() {
        let axis = Axis::new(Scale::Linear, [3.0, 172.0].into_iter());
        assert_eq!(axis.ticks, [0.0, 50.0, 100.0, 150.0, 200.0]);
        assert!((axis.y(0.0) - BOTTOM).abs() < 1e-9 && (axis.y(200.0) - TOP).abs() < 1e-9);
        let axis = Axis::new(Scale::Log, [30.0, 9000.0].into_iter());
        assert_eq!(axis.ticks, [10.0, 100.0, 1000.0, 10_000.0]);
        assert!((axis.y(1000.0) - f64::midpoint(axis.y(100.0), axis.y(10_000.0))).abs() < 1e-9);
    }

    #[test]
    fn nothing_to_show_is_no_plot() {
        let series = Series { name: "fibra", label: "fibra", index: 0, values: vec![None] };
        let plot =
            Plot { title: "t", scale: Scale::Log, format: text::time, connections: vec![1], series: vec![series] };
        assert!(plot.is_empty());
        assert!(plot.svg().contains("</svg>"), "and no failure either");
    }
}
