//! Many cases on several threads, each on one.
//!
//! Invariants:
//! * Cases are handed out in order, and the one that is reported is the first that fails, however many threads there are: those before it come to
//!   their ends.
//! * Threads share a counter, a bound and the sum of what has passed; nothing that a case could see.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use fibra_scheduler::clock;
use parking_lot::Mutex;

use crate::counterexample::Counterexample;
use crate::explorer::Summary;
use crate::play::Test;
use crate::recipe::Recipe;

/// One in so many cases runs a second time.
const RERUN: u64 = 100;

/// How often progress is told, and how long it has to take for that.
const TELL: Duration = Duration::from_secs(5);

/// The stack of the threads that run cases: tests may be deep, and the fibers have stacks of their own.
const STACK: usize = 8 << 20;

pub(crate) enum Outcome {
    AllPass(Summary),
    /// The number of the first that fails, from 0; what it was; how it fails.
    Fails(u64, Box<Recipe>, Box<Counterexample>),
}

struct Work<'a> {
    test: &'a Test<'a>,
    known: &'a [Recipe],
    seeds: Range<u64>,
    count: u64,
    next: AtomicU64,
    /// The number of the first that has failed.
    bound: AtomicU64,
    sum: Mutex<Sum>,
}

struct Sum {
    summary: Summary,
    failed: Option<(u64, Box<Counterexample>)>,
    begin: Instant,
    told: Instant,
}

pub(crate) fn run(test: &Test<'_>, known: &[Recipe], seeds: Range<u64>, jobs: usize) -> Outcome {
    let count = known.len() as u64 + seeds.end.saturating_sub(seeds.start);
    let begin = clock::now();
    let sum = Sum { summary: Summary::default(), failed: None, begin, told: begin };
    let (next, bound) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
    let work = Work { test, known, seeds, count, next, bound, sum: Mutex::new(sum) };
    thread::scope(|scope| {
        let work = &work;
        let spawn = |_| thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || work.take_part());
        let begun = (0..(jobs as u64).min(count)).map(spawn).filter(Result::is_ok).count();
        // Without a thread to be had, on this one.
        if begun == 0 {
            work.take_part();
        }
    });
    let failed = work.sum.lock().failed.take();
    match failed {
        Some((number, counterexample)) => Outcome::Fails(number, Box::new(work.recipe(number)), counterexample),
        None => Outcome::AllPass(work.sum.into_inner().summary),
    }
}

/// Runs `f` on a thread of its own, if there is one to be had.
pub(crate) fn aside<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    let place = Mutex::new(Some(f));
    let perform = || place.lock().take().map(|f| f());
    let done = thread::scope(|scope| {
        let begun = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, perform);
        begun.ok().map(|thread| thread.join())
    });
    match done {
        Some(Ok(Some(value))) => value,
        Some(Err(payload)) => std::panic::resume_unwind(payload),
        Some(Ok(None)) | None => perform().expect("it has not been performed yet"),
    }
}

impl Work<'_> {
    fn take_part(&self) {
        loop {
            let number = self.next.fetch_add(1, Relaxed);
            if number >= self.count || number > self.bound.load(Relaxed) {
                return;
            }
            let recipe = self.recipe(number);
            // Not what somebody looks at.
            let is_twice = number.is_multiple_of(RERUN) && !self.test.is_loud;
            let played = if is_twice { self.test.play_twice(&recipe) } else { self.test.play(&recipe) };
            let mut sum = self.sum.lock();
            if let Some(counterexample) = played.counterexample {
                self.bound.fetch_min(number, Relaxed);
                if sum.failed.as_ref().is_none_or(|(first, _)| number < *first) {
                    sum.failed = Some((number, counterexample));
                }
                continue;
            }
            let summary = &mut sum.summary;
            summary.cases += 1;
            summary.reruns += u64::from(is_twice);
            summary.virtual_time += played.elapsed;
            // Spread before it is added up, so that two that change places with each other's numbers do not cancel out.
            let spread = played.hash.unwrap_or(0).wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            summary.hash = summary.hash.wrapping_add(spread ^ (spread >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9));
            self.tell(&mut sum);
        }
    }

    /// Those that are known to have failed come before the seeds.
    fn recipe(&self, number: u64) -> Recipe {
        match self.known.get(number as usize) {
            Some(known) => known.clone(),
            None => Recipe::of_seed(self.seeds.start + (number - self.known.len() as u64)),
        }
    }

    fn tell(&self, sum: &mut Sum) {
        let now = clock::now();
        if now.duration_since(sum.told) >= TELL {
            sum.told = now;
            let rate = sum.summary.cases as f64 / now.duration_since(sum.begin).as_secs_f64();
            eprintln!("fibra::sim: {} of {} cases, {rate:.0} a second", sum.summary.cases, self.count);
        }
    }
}
