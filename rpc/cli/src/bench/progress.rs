//! A line on the terminal that says how far a bench is. Elsewhere there is none.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use super::tally::Tally;

/// How often it is drawn anew.
const INTERVAL: Duration = Duration::from_millis(200);

/// Where nothing is drawn, nobody has to be woken for it.
const NEVER: Duration = Duration::from_secs(3600);

/// Characters of the bar.
const WIDTH: usize = 30;

/// Its line is wiped when it is dropped.
pub(super) struct Progress {
    is_terminal: bool,
    is_shown: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { is_terminal: io::stderr().is_terminal(), is_shown: false }
    }

    /// When to show it next.
    pub(super) fn interval(&self) -> Duration {
        if self.is_terminal { INTERVAL } else { NEVER }
    }

    /// Draws it: which part is `done`.
    pub(super) fn show(&mut self, done: f64, passed: Duration, tally: &Tally) {
        if self.is_terminal {
            self.is_shown = true;
            write(&line(done, passed, tally));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            write("");
        }
    }
}

fn write(line: &str) {
    let mut err = io::stderr().lock();
    // A terminal that is gone is no reason to stop.
    let _ = write!(err, "\r\x1b[K{line}").and_then(|()| err.flush());
}

fn line(done: f64, passed: Duration, tally: &Tally) -> String {
    let filled = ((done * WIDTH as f64) as usize).min(WIDTH);
    let bar = format!("{}{}", "#".repeat(filled), ".".repeat(WIDTH - filled));
    let rate = tally.calls() as f64 / passed.as_secs_f64().max(1e-9);
    let failed = if tally.failed() > 0 { format!(", {} failed", tally.failed()) } else { String::new() };
    let (p50, p99) = (tally.quantile(0.5), tally.quantile(0.99));
    format!("[{bar}] {:3.0} s, {rate:.0} calls/s, p50 {p50:.0?}, p99 {p99:.0?}{failed}", passed.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_it_is() {
        let mut tally = Tally::default();
        tally.succeeded(Duration::from_micros(50));
        let shown = line(0.5, Duration::from_secs(1), &tally);
        assert!(shown.starts_with("[###############...............]   1 s, 1 calls/s, p50 5"), "{shown}");
        assert!(line(7.0, Duration::from_secs(1), &tally).contains(&"#".repeat(WIDTH)));
    }
}
