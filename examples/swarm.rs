//! Random clients, servers, calls and faults in simulations, seed after seed, for as long as you like: does all hold that was promised?
//!
//! ```text
//! cargo run --release --example swarm -- --seconds 600 --jobs 2
//! cargo run --release --example swarm -- --seed 17              one seed, with its plan; if it fails, with a smaller one that does
//! cargo run --release --example swarm -- --from 0 --seeds 1000000
//! ```
//!
//! Each seed runs as it is drawn, and once more with callers that have more time than anything takes, who must not be forgotten.
//!
//! It ends after a minute, or ten failures (`--failures`). Seeds count up from the time of day unless `--from` says otherwise. One in a hundred runs twice, and has to take the same course. Those that
//! fail are added to `tests/sim/regressions.txt`, which `cargo test --test sim` goes through; `--forget` leaves it as it is.

#[path = "../tests/sim/workload/mod.rs"]
mod workload;

use std::error::Error;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

/// One in so many seeds runs a second time.
const RERUN: u64 = 100;

/// Failures after which there is enough to do, unless `--failures` says otherwise.
const FAILURES_MAX: usize = 10;

/// How often progress is printed.
const PROGRESS: Duration = Duration::from_secs(5);

/// A seed that takes longer is named: something turns in circles.
const LONG: Duration = Duration::from_secs(20);

/// One that takes longer than this has failed, and is the last: what turns in circles cannot be ended.
const FOR_EVER: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Options {
    seconds: u64,
    jobs: usize,
    from: u64,
    seeds: u64,
    only: Option<u64>,
    failures: usize,
    keep: bool,
}

impl Options {
    fn parse() -> Result<Self, Box<dyn Error>> {
        let from = UNIX_EPOCH.elapsed()?.as_secs() << 20;
        let mut options =
            Self { seconds: 60, jobs: 1, from, seeds: u64::MAX, only: None, failures: FAILURES_MAX, keep: true };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut number = || -> Result<u64, Box<dyn Error>> {
                Ok(args.next().ok_or_else(|| format!("{arg} needs a number"))?.parse()?)
            };
            match &*arg {
                "--seconds" => options.seconds = number()?,
                "--jobs" => options.jobs = usize::try_from(number()?)?.max(1),
                "--from" => options.from = number()?,
                "--seeds" => (options.seeds, options.seconds) = (number()?, u64::MAX),
                "--seed" => options.only = Some(number()?),
                "--failures" => options.failures = usize::try_from(number()?)?,
                "--forget" => options.keep = false,
                _ => return Err(format!(
                    "unknown: {arg}; --seconds N, --jobs N, --from SEED, --seeds N, --seed SEED, --failures N, --forget"
                )
                .into()),
            }
        }
        Ok(options)
    }
}

/// What the jobs share.
struct Swarm {
    options: Options,
    next: AtomicU64,
    over: AtomicBool,
    done: AtomicU64,
    calls: AtomicU64,
    runs: AtomicU64,
    maybe: AtomicU64,
    switches: AtomicU64,
    reruns: AtomicU64,
    failed: Mutex<Vec<(u64, String)>>,
    /// The seed of each job, and since when.
    at_work: Vec<Mutex<Option<(u64, Instant)>>>,
}

/// Wall-clock time: what simulations never see.
#[allow(clippy::disallowed_methods)]
fn now() -> Instant {
    Instant::now()
}

impl Swarm {
    fn new(options: Options) -> Self {
        Self {
            next: AtomicU64::new(options.from),
            at_work: (0..options.jobs).map(|_| Mutex::new(None)).collect(),
            options,
            over: AtomicBool::new(false),
            done: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            runs: AtomicU64::new(0),
            maybe: AtomicU64::new(0),
            switches: AtomicU64::new(0),
            reruns: AtomicU64::new(0),
            failed: Mutex::new(Vec::new()),
        }
    }

    fn work(&self, job: usize) {
        while !self.over.load(Relaxed) {
            let seed = self.next.fetch_add(1, Relaxed);
            if seed.wrapping_sub(self.options.from) >= self.options.seeds {
                return;
            }
            *self.at_work[job].lock().expect("nobody panics with it") = Some((seed, now()));
            if let Err(reason) = self.check(seed) {
                println!("{reason}\n");
                let mut failed = self.failed.lock().expect("nobody panics with it");
                let first = reason.lines().nth(1).unwrap_or_default().trim().to_owned();
                failed.push((seed, first));
                if failed.len() >= self.options.failures {
                    self.over.store(true, Relaxed);
                }
            }
            *self.at_work[job].lock().expect("nobody panics with it") = None;
        }
    }

    fn check(&self, seed: u64) -> Result<(), String> {
        let count = |ran: &workload::Ran| {
            self.calls.fetch_add(ran.tally.calls, Relaxed);
            self.runs.fetch_add(ran.tally.runs, Relaxed);
            self.maybe.fetch_add(ran.tally.maybe, Relaxed);
            self.switches.fetch_add(ran.report.trace().events(), Relaxed);
        };
        let ran = workload::run(seed).inspect(count).map_err(|broken| broken.to_string())?;
        workload::run_patiently(seed).inspect(count).map_err(|broken| broken.to_string())?;
        self.done.fetch_add(1, Relaxed);
        if !seed.is_multiple_of(RERUN) {
            return Ok(());
        }
        self.reruns.fetch_add(1, Relaxed);
        match workload::run(seed) {
            Ok(again) if again == ran => Ok(()),
            _ => Err(format!("seed {seed}:\n  a second run takes another course")),
        }
    }

    fn report(&self, since: Instant) {
        let seconds = since.elapsed().as_secs_f64().max(0.001);
        let [done, calls, runs, maybe] = [&self.done, &self.calls, &self.runs, &self.maybe].map(|it| it.load(Relaxed));
        println!(
            "{seconds:>6.0} s: seed {}, {done} seeds, {calls} calls ({runs} executions, {maybe} unknown), {:.0} seeds/s, {:.0} calls/s, {:.1} M switches/s, {} failures",
            self.next.load(Relaxed),
            done as f64 / seconds,
            calls as f64 / seconds,
            self.switches.load(Relaxed) as f64 / seconds / 1e6,
            self.failed.lock().map_or(0, |failed| failed.len()),
        );
        for job in &self.at_work {
            if let Some((seed, began)) = *job.lock().expect("nobody panics with it")
                && began.elapsed() > LONG
            {
                println!("seed {seed} runs since {:.0?}", began.elapsed());
            }
        }
    }

    /// A seed that does not end, if there is one: it has failed.
    fn find_stuck(&self) -> Option<u64> {
        let at_work = self.at_work.iter().filter_map(|job| *job.lock().expect("nobody panics with it"));
        let stuck = at_work.filter(|(_, began)| began.elapsed() > FOR_EVER).map(|(seed, _)| seed).next()?;
        println!("seed {stuck} does not end");
        self.failed.lock().expect("nobody panics with it").push((stuck, "it does not end".to_owned()));
        Some(stuck)
    }

    /// Adds the failures to the seeds that the tests go through.
    fn keep(&self) -> Result<(), Box<dyn Error>> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim/regressions.txt");
        let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
        for (seed, first) in self.failed.lock().expect("nobody panics with it").iter() {
            writeln!(file, "{seed} # {first}")?;
        }
        println!("kept in {}", path.display());
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse()?;
    if let Some(seed) = options.only {
        println!("{:#?}", workload::plan::Plan::draw(seed));
        match workload::run(seed).and_then(|ran| Ok((ran, workload::run_patiently(seed)?))) {
            Ok(ran) => println!("{ran:#?}"),
            Err(broken) => {
                println!("{broken}");
                println!("\nSmaller: {}", workload::shrink(broken));
                return Err(format!("seed {seed} failed").into());
            }
        }
        return Ok(());
    }
    let (seconds, jobs) = (options.seconds, options.jobs);
    println!("seeds from {}, {jobs} jobs", options.from);
    let swarm = Swarm::new(options);
    let begin = now();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs)
            .map(|job| {
                scope.spawn({
                    let swarm = &swarm;
                    move || swarm.work(job)
                })
            })
            .collect();
        let mut told = begin;
        while workers.iter().any(|worker| !worker.is_finished()) {
            thread::park_timeout(Duration::from_millis(50));
            if begin.elapsed().as_secs() >= seconds {
                swarm.over.store(true, Relaxed);
            }
            if told.elapsed() >= PROGRESS {
                told = now();
                swarm.report(begin);
            }
            if swarm.find_stuck().is_some() {
                if let Err(error) = if swarm.options.keep { swarm.keep() } else { Ok(()) } {
                    println!("not kept: {error}");
                }
                // Its thread would be waited for.
                std::process::exit(1);
            }
        }
    });
    swarm.report(begin);
    println!("{} seeds ran twice, to the same end", swarm.reruns.load(Relaxed));
    let failures = swarm.failed.lock().expect("nobody panics with it").len();
    if failures == 0 {
        return Ok(());
    }
    if swarm.options.keep {
        swarm.keep()?;
    }
    Err(format!("{failures} seeds failed").into())
}
