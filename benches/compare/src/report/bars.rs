//! A bar for each peer, as SVG that stands on its own but for the style sheet.

use std::fmt::Write;

use super::plot::WIDTH;
use super::style::escape;

/// Where the bars are.
const LEFT: f64 = 152.0;
const RIGHT: f64 = 348.0;
const TOP: f64 = 34.0;
const ROW: f64 = 25.0;

pub(super) struct Bars<'a> {
    pub(super) title: String,
    pub(super) rows: Vec<Row<'a>>,
}

pub(super) struct Row<'a> {
    pub(super) name: &'a str,
    pub(super) label: &'a str,
    /// The bar, and what is added to it in a paler tone.
    pub(super) value: f64,
    pub(super) rest: f64,
    pub(super) text: String,
}

impl Bars<'_> {
    pub(super) fn height(&self) -> f64 {
        TOP + ROW * self.rows.len() as f64 + 6.0
    }

    pub(super) fn svg(&self) -> String {
        let height = self.height();
        let mut out = format!(
            r#"<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" aria-label="{0}"><text class="title" x="4" y="18">{0}</text>"#,
            escape(&self.title)
        );
        out.push('\n');
        let high = self.rows.iter().map(|row| row.value + row.rest).fold(f64::MIN_POSITIVE, f64::max);
        for (index, row) in self.rows.iter().enumerate() {
            let y = TOP + ROW * index as f64;
            let width = |value: f64| value / high * (RIGHT - LEFT);
            // So that nothing is not invisible.
            let bar = width(row.value).max(1.0);
            let rest = width(row.rest);
            let _ = writeln!(
                out,
                r#"<g class="p-{}"><text x="{:.0}" y="{:.1}" text-anchor="end">{}</text><rect x="{LEFT}" y="{y:.1}" width="{bar:.1}" height="17"/><rect class="rest" x="{:.1}" y="{y:.1}" width="{rest:.1}" height="17"/><text x="{:.1}" y="{:.1}">{}</text></g>"#,
                row.name,
                LEFT - 8.0,
                y + 13.0,
                escape(row.label.trim()),
                LEFT + bar,
                LEFT + bar + rest + 6.0,
                y + 13.0,
                escape(&row.text),
            );
        }
        out.push_str("</svg>\n");
        out
    }
}
