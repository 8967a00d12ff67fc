//! The Prometheus text format, version 0.0.4.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::fmt::{Display, Write};

use fibra_scheduler::Counters;

use super::Metrics;
use super::counts::{BUCKETS, MethodTotals, Totals, bound};
use crate::wire::failure::Code;

/// What a server knows at the moment, whether it counts calls or not.
pub(crate) struct Gauges {
    pub(crate) connections: usize,
    pub(crate) sessions: usize,
    /// Connections that wait for their turn.
    pub(crate) in_line: usize,
    /// Calls whose handlers wait.
    pub(crate) waiting: usize,
    /// Bytes that connections hold because their peers are slow.
    pub(crate) buffered: usize,
    /// Of the caller's runtime.
    pub(crate) scheduler: Counters,
}

/// All of it as text.
pub(crate) fn render(metrics: Option<&Metrics>, gauges: &Gauges) -> String {
    let mut text = Text(String::new());
    text.one("fibra_rpc_connections", "gauge", "Connections open now.", gauges.connections);
    text.one("fibra_rpc_sessions", "gauge", "Sessions, with a connection or without.", gauges.sessions);
    let help = "Connections that have sent something and wait for their turn.";
    text.one("fibra_rpc_waiting_connections", "gauge", help, gauges.in_line);
    text.one("fibra_rpc_waiting_calls", "gauge", "Calls whose handlers wait for something.", gauges.waiting);
    let help = "Bytes of frames that have come in part, and of output that peers have not taken.";
    text.one("fibra_rpc_buffered_bytes", "gauge", help, gauges.buffered);
    if let Some(metrics) = metrics {
        calls(&mut text, metrics.methods(), &metrics.totals());
    }
    scheduler(&mut text, &gauges.scheduler);
    text.0
}

fn calls(text: &mut Text, methods: &[String], totals: &Totals) {
    // Those that were never called say nothing yet.
    let methods: Vec<_> = methods
        .iter()
        .zip(&totals.methods)
        .filter(|(_, totals)| totals.begun > 0)
        .map(|(name, totals)| (Label(name).to_string(), totals))
        .collect();
    let per_method = |text: &mut Text, name: &str, kind, help, value: fn(&MethodTotals) -> u64| {
        text.head(name, kind, help);
        for (method, totals) in &methods {
            text.line(format_args!("{name}{{method=\"{method}\"}}"), value(totals));
        }
    };

    text.head("fibra_rpc_calls_total", "counter", "Calls that have ended, by method and what they were answered with.");
    for (method, totals) in &methods {
        for (outcome, count) in outcomes(&totals.ended) {
            text.line(format_args!("fibra_rpc_calls_total{{method=\"{method}\",outcome=\"{outcome}\"}}"), count);
        }
    }
    per_method(text, "fibra_rpc_calls_in_flight", "gauge", "Calls that have begun and not ended.", |totals| {
        totals.begun.saturating_sub(totals.ended.iter().sum())
    });
    per_method(text, "fibra_rpc_argument_bytes_total", "counter", "Bytes of arguments received.", |totals| {
        totals.received
    });
    per_method(text, "fibra_rpc_reply_bytes_total", "counter", "Bytes of replies made, headers included.", |totals| {
        totals.sent
    });

    let name = "fibra_rpc_call_seconds";
    text.head(name, "histogram", "How long calls took, from when their turn came to their reply.");
    for (method, totals) in &methods {
        let mut sum = 0;
        for (bucket, count) in totals.latency.iter().enumerate() {
            sum += count;
            if bucket < BUCKETS {
                let le = Seconds(bound(bucket));
                text.line(format_args!("{name}_bucket{{method=\"{method}\",le=\"{le}\"}}"), sum);
            }
        }
        text.line(format_args!("{name}_bucket{{method=\"{method}\",le=\"+Inf\"}}"), sum);
        text.line(format_args!("{name}_sum{{method=\"{method}\"}}"), Seconds(totals.nanos));
        text.line(format_args!("{name}_count{{method=\"{method}\"}}"), sum);
    }

    let name = "fibra_rpc_queue_seconds";
    text.head(
        name,
        "histogram",
        "How long calls have waited for their turn, at most, whether they were run or refused then.",
    );
    let mut sum = 0;
    for (bucket, count) in totals.queued.iter().enumerate() {
        sum += count;
        if bucket < BUCKETS {
            text.line(format_args!("{name}_bucket{{le=\"{}\"}}", Seconds(bound(bucket))), sum);
        }
    }
    text.line(format_args!("{name}_bucket{{le=\"+Inf\"}}"), sum);
    text.line(format_args!("{name}_sum"), Seconds(totals.queued_nanos));
    text.line(format_args!("{name}_count"), sum);

    text.head("fibra_rpc_refused_total", "counter", "Calls refused before their method was looked at, by reason.");
    for (reason, count) in outcomes(&totals.refused) {
        text.line(format_args!("fibra_rpc_refused_total{{reason=\"{reason}\"}}"), count);
    }
    text.head("fibra_rpc_copies_total", "counter", "Copies of calls that were not run again, by what they got.");
    text.line("fibra_rpc_copies_total{got=\"reply\"}", totals.replayed);
    text.line("fibra_rpc_copies_total{got=\"run_under_way\"}", totals.attached);
}

/// Those that there were, by name.
fn outcomes(counts: &[u64]) -> impl Iterator<Item = (&'static str, u64)> {
    let name = |index: usize| match u8::try_from(index) {
        Ok(0) => Some("value"),
        Ok(code) => Code::from_wire(code).map(Code::name),
        Err(_) => None,
    };
    counts
        .iter()
        .enumerate()
        .filter(|(_, count)| **count > 0)
        .filter_map(move |(index, count)| Some((name(index)?, *count)))
}

fn scheduler(text: &mut Text, counters: &Counters) {
    if counters.workers == 0 {
        // Asked from outside of any runtime.
        return;
    }
    let gauge = "gauge";
    text.one("fibra_scheduler_workers", gauge, "Worker threads.", counters.workers);
    text.one("fibra_scheduler_fibers", gauge, "Fibers that have not ended.", counters.live);
    text.one("fibra_scheduler_stack_bytes", gauge, "Address space of stacks.", counters.stack_bytes_reserved);
    for (name, help, value) in [
        ("fibra_scheduler_spawns_total", "Fibers spawned.", counters.spawned),
        ("fibra_scheduler_refused_spawns_total", "Spawns refused: too many fibers.", counters.refused),
        ("fibra_scheduler_switches_total", "Switches to a fiber.", counters.switches),
        ("fibra_scheduler_parks_total", "Times that a fiber waited.", counters.parks),
        ("fibra_scheduler_wakes_total", "Times that a parked fiber was made ready.", counters.wakes),
        ("fibra_scheduler_steals_total", "Batches of closures taken from another worker.", counters.steals),
        ("fibra_scheduler_polls_total", "Times that a worker looked at timers, driver and inbox.", counters.polls),
    ] {
        text.one(name, "counter", help, value);
    }
}

struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn line(&mut self, name: impl Display, value: impl Display) {
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.head(name, kind, help);
        self.line(name, value);
    }
}

/// Nanoseconds, as seconds without an exponent.
struct Seconds(u64);

impl Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

/// A label's value: names may be made at run time, of anything.
struct Label<'a>(&'a str);

impl Display for Label<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|char| match char {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            other => f.write_char(other),
        })
    }
}
