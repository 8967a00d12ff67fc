//! What the benchmarks share: the runtimes that are compared, each on one thread, and a table of medians and ratios at the end.
//!
//! Criterion measures one peer after the other and prints an interval for each. The table sets its medians side by side: on a
//! noisy machine only the ratios within one run mean anything, and those only after a few runs.

#![allow(dead_code)] // Each benchmark is a crate of its own and uses a part of this.

use std::future::Future;
use std::sync::Once;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput};

/// Usable bytes of every stack, whoever's it is.
pub(crate) const STACK: usize = 64 << 10;

/// How often criterion measures each peer.
const SAMPLES: usize = 20;

/// Of these, `may` keeps this many ready: as many as a benchmark has at once, so that it never maps stacks while measured.
const MAY_POOL: usize = 10_100;

/// The same operations, by several peers.
pub(crate) struct Comparison<'c> {
    title: String,
    group: BenchmarkGroup<'c, WallTime>,
    operations: u64,
    rows: Vec<(String, f64)>,
}

impl<'c> Comparison<'c> {
    /// `operations`: how many of what is compared one round does.
    pub(crate) fn new(c: &'c mut Criterion, title: &str, operations: u64) -> Self {
        let mut group = c.benchmark_group(title);
        group.throughput(Throughput::Elements(operations));
        // Flat: samples of the same length. Each starts a runtime, so many short ones would measure mostly cold caches.
        group.sample_size(SAMPLES).sampling_mode(SamplingMode::Flat);
        group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
        Comparison { title: title.to_owned(), group, operations, rows: Vec::new() }
    }

    /// Measures a peer. `rounds` does that many rounds and says how long they took, without what it needed to begin.
    pub(crate) fn peer(&mut self, name: &str, mut rounds: impl FnMut(u64) -> Duration) {
        let mut samples = Vec::new();
        self.group.bench_function(name, |bencher| {
            bencher.iter_custom(|count| {
                let took = rounds(count);
                samples.push(took.as_nanos() as f64 / (count * self.operations) as f64);
                took
            });
        });
        // The first ones are criterion's warm-up. None at all: the name was not asked for on the command line.
        let mut measured = samples.split_off(samples.len().saturating_sub(SAMPLES));
        measured.sort_by(f64::total_cmp);
        if let Some(&median) = measured.get(measured.len() / 2) {
            self.rows.push((name.to_owned(), median));
        }
    }

    /// Prints the table.
    pub(crate) fn finish(self) {
        self.group.finish();
        if self.rows.is_empty() {
            return;
        }
        let ours = self.rows.iter().find(|(name, _)| name == "fibra").map(|(_, median)| median);
        println!("{}: medians, ns per operation", self.title);
        for (name, median) in &self.rows {
            let beside = ours.map_or(String::new(), |ours| format!("    {:>8.2} x fibra", median / ours));
            println!("    {name:<28}{median:>12.1}{beside}");
        }
        println!();
    }
}

/// Runs `f` on the first fiber of a runtime with one worker.
pub(crate) fn in_fibra<T>(f: impl FnOnce() -> T) -> T {
    fibra::runtime::builder().workers(1).stack_size(STACK).run(f).expect("a runtime")
}

/// Runs `f` on tokio's current-thread runtime.
pub(crate) fn in_tokio_current<T>(f: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(f)
}

/// Runs `f` on the one worker of tokio's multi-thread runtime.
pub(crate) fn in_tokio_multi<T: Send + 'static>(f: impl Future<Output = T> + Send + 'static) -> T {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("a runtime");
    let task = runtime.spawn(f);
    runtime.block_on(task).expect("no panic")
}

/// Runs `f` on a coroutine of may, which has one worker.
pub(crate) fn in_may<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    static CONFIGURE: Once = Once::new();
    CONFIGURE.call_once(|| {
        // may counts in words.
        may::config().set_workers(1).set_stack_size(STACK / size_of::<usize>()).set_pool_capacity(MAY_POOL);
        may::config().set_worker_pin(false);
    });
    may::go!(f).join().expect("no panic")
}

/// Keeps the calling thread on the first of the CPUs that it may use, and so all that it spawns from then on.
pub(crate) fn pin_to_one_cpu() {
    let mut allowed = rustix::thread::sched_getaffinity(None).expect("this thread exists");
    let first = (0..rustix::thread::CpuSet::MAX_CPU).find(|&cpu| allowed.is_set(cpu)).expect("it runs somewhere");
    allowed.clear();
    allowed.set(first);
    rustix::thread::sched_setaffinity(None, &allowed).expect("a CPU that was allowed");
}

/// Runs `f` on a thread of its own that shares one CPU with all the threads that it spawns.
pub(crate) fn in_threads<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let pinned = move || {
        pin_to_one_cpu();
        f()
    };
    std::thread::spawn(pinned).join().expect("no panic")
}

pub(crate) fn now() -> Instant {
    fibra::clock::now()
}

/// How long `f` takes.
pub(crate) fn time(f: impl FnOnce()) -> Duration {
    let start = now();
    f();
    start.elapsed()
}
