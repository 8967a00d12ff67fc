//! The table of stacks, as text.

use std::fmt;

use super::Stacks;

impl fmt::Display for Stacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kib = |bytes: usize| format!("{:.1} KiB", bytes as f64 / 1024.0);
        let rows: Vec<[String; 6]> = self
            .sites
            .iter()
            .map(|site| {
                let suggested = site.suggested_stack_size();
                [
                    site.spawned_at.to_string(),
                    site.started.to_string(),
                    site.measured.to_string(),
                    suggested.map_or_else(|| "-".into(), |_| kib(site.deepest)),
                    suggested.map_or_else(|| "-".into(), |_| kib(site.stack_size)),
                    suggested.map_or_else(|| "-".into(), |size| format!("{} KiB", size / 1024)),
                ]
            })
            .collect();
        let heads = ["spawned at", "started", "measured", "deepest", "stack", "suggested"].map(String::from);
        let widths: [usize; 6] = std::array::from_fn(|column| {
            rows.iter().chain([&heads]).map(|row| row[column].chars().count()).max().unwrap_or(0)
        });
        for row in [&heads].into_iter().chain(&rows) {
            write!(f, "{:<width$}", row[0], width = widths[0])?;
            for (cell, width) in row.iter().zip(widths).skip(1) {
                write!(f, "  {cell:>width$}")?;
            }
            writeln!(f)?;
        }
        if self.others > 0 {
            writeln!(f, "and {} fibers that were spawned at further places", self.others)?;
        }
        Ok(())
    }
}
