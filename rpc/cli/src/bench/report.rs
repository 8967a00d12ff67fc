//! The results, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::load::{Plan, Ran};

/// Parts of the calls, and what their latency is called.
const QUANTILES: [(&str, f64); 6] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999), ("max", 1.0)];

/// As JSON, it has times in nanoseconds, and fields are only ever added.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    method: String,
    addr: String,
    /// Calls a second that were due, in an open loop.
    rate: Option<f64>,
    callers: usize,
    connections: usize,
    seconds: f64,
    /// Those that had a value.
    calls: u64,
    calls_per_second: f64,
    failed: u64,
    failures: BTreeMap<&'static str, u64>,
    /// Calls that were due, and that no caller was free to make.
    not_made: u64,
    /// Whether Ctrl-C has ended it. Calls that were under way are not counted.
    interrupted: bool,
    /// Of the calls that had a value; in an open loop from when they were due.
    latency_ns: BTreeMap<&'static str, u64>,
    #[serde(skip)]
    examples: Vec<(&'static str, u64, String)>,
}

impl Report {
    pub(super) fn new(plan: &Plan<'_>, rate: Option<f64>, ran: &Ran) -> Self {
        let tally = &ran.tally;
        let seconds = ran.took.as_secs_f64();
        let mut latency_ns: BTreeMap<_, _> =
            QUANTILES.iter().map(|&(name, part)| (name, nanos(tally.quantile(part)))).collect();
        latency_ns.insert("mean", nanos(tally.mean()));
        latency_ns.insert("min", nanos(tally.least()));
        let failures = tally.failures();
        Self {
            method: plan.method.full_name().to_owned(),
            addr: plan.server.addr.clone(),
            rate,
            callers: plan.callers,
            connections: plan.connections,
            seconds,
            calls: tally.calls(),
            calls_per_second: tally.calls() as f64 / seconds.max(1e-9),
            failed: tally.failed(),
            failures: failures.iter().map(|(kind, failures)| (*kind, failures.count)).collect(),
            not_made: ran.not_made,
            interrupted: ran.interrupted,
            latency_ns,
            examples: failures.iter().map(|(kind, some)| (*kind, some.count, some.example.clone())).collect(),
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, addr, callers, connections, calls, seconds, .. } = self;
        let how =
            self.rate.map_or_else(|| "closed loop".to_owned(), |rate| format!("open loop, {rate} calls a second due"));
        writeln!(f, "{method} at {addr}: {how}, {callers} callers, {connections} connections\n")?;
        write!(f, "calls    {calls} in {seconds:.3} s, {:.0} a second", self.calls_per_second)?;
        if self.interrupted {
            write!(f, ", until it was interrupted")?;
        }
        if self.failed > 0 {
            write!(f, "\nfailed   {}", self.failed)?;
        }
        for (kind, count, example) in &self.examples {
            write!(f, "\n         {count} {kind}, such as: {example}")?;
        }
        if self.not_made > 0 {
            write!(
                f,
                "\nnot made {} that were due: no caller was free, and the latencies would be longer with them; \
                 give it more --callers, or a lower --rate",
                self.not_made
            )?;
        }
        if *calls > 0 {
            write!(f, "\nlatency  mean   {:.1?}", self.latency("mean"))?;
            for (name, _) in QUANTILES {
                write!(f, "\n         {name:6} {:.1?}", self.latency(name))?;
            }
        }
        Ok(())
    }
}

impl Report {
    fn latency(&self, name: &str) -> Duration {
        Duration::from_nanos(self.latency_ns.get(name).copied().unwrap_or_default())
    }
}
