//! The load: as many fibers as connections, each calling as fast as replies come.

use std::error::Error;
use std::fmt;
use std::time::{Duration, Instant};

use fibra::clock;

use crate::service::CalculatorClient;

const CONNECTIONS: usize = 1_000;
const CALLS_PER_CONNECTION: usize = 100;

/// How it went.
pub(crate) struct Report {
    took: Duration,
    /// How long each call took, sorted.
    latencies: Vec<Duration>,
    /// Threads of this process, where the system tells.
    threads: Option<usize>,
}

/// Opens all connections, then calls on all of them at once.
pub(crate) fn run(addr: &str) -> Result<Report, Box<dyn Error>> {
    let proxies: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let addr = addr.to_owned();
            fibra::spawn(move || CalculatorClient::connect(addr))
        })
        .collect();
    let proxies = proxies.into_iter().map(join).collect::<Result<Vec<_>, _>>()?;

    let started = clock::now();
    let callers: Vec<_> = proxies.into_iter().map(|proxy| fibra::spawn(move || call(&proxy))).collect();
    let latencies = callers.into_iter().map(join).collect::<Result<Vec<_>, _>>()?;
    let took = since(started);

    let mut latencies = latencies.concat();
    latencies.sort_unstable();
    Ok(Report { took, latencies, threads: threads() })
}

/// One connection's calls, one after the other.
fn call(proxy: &CalculatorClient) -> Result<Vec<Duration>, fibra::rpc::CallError> {
    (0_i64..)
        .take(CALLS_PER_CONNECTION)
        .map(|n| {
            let started = clock::now();
            let sum = proxy.add(n, 5)?;
            assert_eq!(sum, n + 5, "the server cannot add");
            Ok(since(started))
        })
        .collect()
}

fn join<T>(fiber: fibra::JoinHandle<T>) -> T {
    fiber.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn threads() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/task").ok()?.count())
}

/// As [`Instant::elapsed`], by fibra's clock, which a simulation can replace.
fn since(started: Instant) -> Duration {
    clock::now().saturating_duration_since(started)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls = self.latencies.len();
        let per_second = calls as f64 / self.took.as_secs_f64();
        writeln!(f, "{calls} calls on {CONNECTIONS} connections at once, {CALLS_PER_CONNECTION} on each")?;
        writeln!(f, "time     {:.3} s", self.took.as_secs_f64())?;
        writeln!(f, "rate     {per_second:.0} calls/s")?;
        write!(f, "latency  p50 {:.1?}, p99 {:.1?}", self.percentile(50), self.percentile(99))?;
        if let Some(threads) = self.threads {
            write!(f, "\nthreads  {threads} of the operating system, in this process")?;
        }
        Ok(())
    }
}

impl Report {
    fn percentile(&self, percent: usize) -> Duration {
        let index = (self.latencies.len() * percent / 100).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(index).copied().unwrap_or_default()
    }
}
