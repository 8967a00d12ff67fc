//! What one measurement yields: requests, latencies, CPU time.

use std::io;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::connection::Nanos;
use crate::meters::{cpu_time_of, cpu_time_of_all};

/// Latencies longer than this count as this.
pub(crate) const LONGEST: u64 = 60_000_000_000;

/// The result of a measurement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Load {
    pub(crate) requests_per_second: f64,
    /// In an open loop: how many requests were due a second.
    pub(crate) rate: Option<f64>,
    pub(crate) latency: Latency,
    /// CPU time of the server's process for each request, user and kernel.
    pub(crate) server_cpu_us: f64,
    /// How busy the client was, 1 being one CPU. In an open loop it is always: it polls, to be on time.
    pub(crate) client_busy: f64,
    /// How busy the server was.
    pub(crate) server_busy: f64,
    /// How many CPUs were busy with anything else, the hypervisor's other guests included.
    pub(crate) others_busy: f64,
    /// In an open loop: requests that were due and had no answer when the client stopped waiting. Their latencies count as how long they
    /// waited until then.
    pub(crate) unanswered: u64,
}

/// Percentiles, in microseconds, of an HDR histogram with three significant digits.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) mean_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    pub(crate) max_us: f64,
}

impl Latency {
    /// Of latencies in nanoseconds.
    pub(crate) fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
        Latency {
            mean_us: histogram.mean() / 1e3,
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: histogram.max() as f64 / 1e3,
        }
    }
}

/// A measurement: latencies of whatever it is told, throughput and CPU time between start and stop.
pub(super) struct Measurement {
    server: u32,
    histogram: Histogram<u64>,
    /// Requests that count from an earlier moment have their latencies left out.
    counts_from: Nanos,
    started: Option<Reading>,
    stopped: Option<Reading>,
    /// Answers so far.
    answered: u64,
    unanswered: u64,
}

/// All meters at one moment.
struct Reading {
    now: Nanos,
    answered: u64,
    server_cpu: Duration,
    client_cpu: Duration,
    all_cpu: Duration,
}

impl Measurement {
    pub(super) fn new(server: u32, counts_from: Nanos) -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST, 3).expect("bounds and precision that make a histogram");
        Measurement { server, histogram, counts_from, started: None, stopped: None, answered: 0, unanswered: 0 }
    }

    /// Starts the measurement, if it is time and that has not been done.
    pub(super) fn start_at(&mut self, moment: Nanos, now: Nanos) -> io::Result<()> {
        if now >= moment && self.started.is_none() {
            self.started = Some(self.read(now)?);
        }
        Ok(())
    }

    /// When it started, if it has.
    pub(super) fn began(&self) -> Option<Nanos> {
        self.started.as_ref().map(|reading| reading.now)
    }

    /// Stops the measurement of throughput and CPU time, if it is time and that has not been done. Whether it has stopped.
    pub(super) fn stop_at(&mut self, moment: Nanos, now: Nanos) -> io::Result<bool> {
        if now >= moment && self.stopped.is_none() {
            self.stopped = Some(self.read(now)?);
        }
        Ok(self.stopped.is_some())
    }

    fn read(&self, now: Nanos) -> io::Result<Reading> {
        Ok(Reading {
            now,
            answered: self.answered,
            server_cpu: cpu_time_of(self.server)?,
            client_cpu: cpu_time_of(std::process::id())?,
            all_cpu: cpu_time_of_all()?,
        })
    }

    /// A request that counts from `since` has its answer.
    pub(super) fn answered(&mut self, since: Nanos, now: Nanos) {
        self.answered += 1;
        if since >= self.counts_from {
            self.histogram.saturating_record(now.saturating_sub(since));
        }
    }

    /// A request that counts from `since` has no answer, and nobody waits for it any more.
    pub(super) fn unanswered(&mut self, since: Nanos, now: Nanos) {
        if since >= self.counts_from {
            self.unanswered += 1;
            self.histogram.saturating_record(now.saturating_sub(since));
        }
    }

    pub(super) fn finish(self) -> Load {
        let (Some(from), Some(to)) = (self.started, self.stopped) else {
            unreachable!("a measurement is started and stopped before it is finished");
        };
        let seconds = (to.now - from.now) as f64 / 1e9;
        let requests = (to.answered - from.answered) as f64;
        let server_cpu = to.server_cpu.saturating_sub(from.server_cpu).as_secs_f64();
        let client_cpu = to.client_cpu.saturating_sub(from.client_cpu).as_secs_f64();
        let all_cpu = to.all_cpu.saturating_sub(from.all_cpu).as_secs_f64();
        Load {
            requests_per_second: requests / seconds,
            rate: None,
            latency: Latency::of(&self.histogram),
            server_cpu_us: server_cpu * 1e6 / requests.max(1.0),
            server_busy: server_cpu / seconds,
            client_busy: client_cpu / seconds,
            others_busy: (all_cpu - server_cpu - client_cpu).max(0.0) / seconds,
            unanswered: self.unanswered,
        }
    }
}
