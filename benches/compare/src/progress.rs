//! One line that says what is being measured and how long it will still take: rewritten on a terminal, else one after the other.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

pub(crate) struct Progress {
    start: Instant,
    total: usize,
    done: usize,
    terminal: bool,
}

impl Progress {
    pub(crate) fn new(total: usize) -> Self {
        Progress { start: Instant::now(), total, done: 0, terminal: io::stderr().is_terminal() }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// What begins now.
    pub(crate) fn begins(&self, what: &str) {
        if self.terminal {
            self.line(&format!("{}{what}", self.position()));
        }
    }

    /// What has been measured, and the result in short.
    pub(crate) fn ended(&mut self, what: &str, result: &str) {
        self.done += 1;
        let line = format!("{}{what}: {result}", self.position());
        if self.terminal { self.line(&line) } else { eprintln!("{line}") }
    }

    /// What stays on the screen.
    pub(crate) fn remark(&self, text: &str) {
        if self.terminal {
            self.line("");
        }
        eprintln!("{text}");
    }

    /// Ends the line.
    pub(crate) fn finish(&self) {
        if self.terminal {
            self.line("");
        }
    }

    fn position(&self) -> String {
        let left = self.elapsed().mul_f64((self.total - self.done) as f64 / self.done.max(1) as f64).as_secs();
        let left = match (self.done, left) {
            (0, _) => String::new(),
            (_, 0..100) => format!(", {left} s left"),
            (_, _) => format!(", {} min left", left.div_ceil(60)),
        };
        format!("[{}/{}{left}] ", self.done, self.total)
    }

    fn line(&self, text: &str) {
        let mut err = io::stderr().lock();
        // A terminal that is gone is no reason to stop.
        let _ = write!(err, "\r\x1b[K{text}");
        let _ = err.flush();
    }
}
