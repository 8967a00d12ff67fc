//! The watchdog: notices a fiber that holds its worker, so that the others there starve, and says which and where.
//!
//! A worker's count of turns changes with every switch and its count of polls with every look outside. If neither has changed for
//! the budget while the worker was not asleep, a fiber has run all that time. So watching costs the workers nothing, and the
//! watchdog two loads a worker, twice a budget. While all workers sleep, it sleeps too, without a limit, until one wakes it.
//!
//! Invariants:
//! * Each episode is reported once: the next report about a worker needs a switch there first.
//! * It tells only what it knows: if the fiber goes on while it is being looked at, nothing is reported.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use fibra_fiber::sample::Subject;

use crate::clock;
use crate::control::FiberRef;
use crate::dump::Trace;
use crate::runtime::Shared;
use crate::worker::Remote;

/// How long a fiber may run without a switch, by default. Well beyond what anyone would call responsive, and beyond what a loaded
/// machine makes of a few milliseconds, so that what is reported is worth reading.
pub(crate) const BUDGET: Duration = Duration::from_millis(100);

/// By what workers wake the watchdog, and shutdown ends it.
#[derive(Debug, Default)]
pub(crate) struct Leash {
    is_dozing: AtomicBool,
    is_ended: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Leash {
    /// A worker has woken up.
    #[inline]
    pub(crate) fn rouse(&self) {
        // Pairs with the fence in `doze`: either we see that it dozes, or it sees that we do not sleep.
        fence(Ordering::SeqCst);
        if self.is_dozing.load(Ordering::Relaxed) && self.is_dozing.swap(false, Ordering::Relaxed) {
            self.thread.get().map(Thread::unpark);
        }
    }

    /// Makes the watchdog end.
    pub(crate) fn end(&self) {
        self.is_ended.store(true, Ordering::Release);
        self.thread.get().map(Thread::unpark);
    }

    fn is_ended(&self) -> bool {
        self.is_ended.load(Ordering::Acquire)
    }
}

/// Starts the watchdog of a runtime.
pub(crate) fn start(shared: &Arc<Shared>, budget: Duration) -> Option<thread::JoinHandle<()>> {
    let watched = shared.clone();
    let started = thread::Builder::new().name("fibra-watchdog".into()).spawn(move || watch(&watched, budget));
    match started {
        // Set before any worker can have seen it dozing: until then, it looks by itself.
        Ok(thread) => {
            drop(shared.leash.thread.set(thread.thread().clone()));
            Some(thread)
        }
        Err(error) => {
            tracing::warn!(%error, "no watchdog: fibers that hold their worker go unnoticed");
            None
        }
    }
}

/// What the watchdog last saw of a worker.
struct Seen {
    pulse: (u64, u64),
    /// When the pulse was first seen, and the thread's CPU clock then.
    since: Instant,
    cpu: Option<Duration>,
    is_reported: bool,
}

impl Seen {
    fn now(worker: &Remote) -> Self {
        let cpu = worker.subject().and_then(|subject| subject.cpu_time());
        Seen { pulse: worker.tally().pulse(), since: clock::now(), cpu, is_reported: false }
    }
}

fn watch(shared: &Shared, budget: Duration) {
    let _enlisted = shared.roster.enlist();
    let mut seen: Vec<Seen> = shared.workers.iter().map(Seen::now).collect();
    while !shared.leash.is_ended() {
        let mut is_quiet = true;
        for (index, (worker, seen)) in shared.workers.iter().zip(&mut seen).enumerate() {
            let changed = worker.tally().pulse() != seen.pulse;
            is_quiet &= worker.is_parked() && !changed;
            if changed || worker.is_parked() {
                *seen = Seen::now(worker);
            } else if !seen.is_reported && clock::now().saturating_duration_since(seen.since) >= budget {
                seen.is_reported = true;
                report(index, worker, seen);
            }
        }
        if is_quiet {
            doze(shared);
        } else {
            thread::park_timeout((budget / 2).max(Duration::from_millis(1)));
        }
    }
}

/// Sleeps until a worker wakes.
fn doze(shared: &Shared) {
    let leash = &shared.leash;
    leash.is_dozing.store(true, Ordering::Relaxed);
    // See `rouse`.
    fence(Ordering::SeqCst);
    let all_sleep = || shared.workers.iter().all(Remote::is_parked);
    while leash.thread.get().is_some() && all_sleep() && leash.is_dozing.load(Ordering::Relaxed) && !leash.is_ended() {
        thread::park();
    }
    leash.is_dozing.store(false, Ordering::Relaxed);
}

fn report(index: usize, worker: &Remote, seen: &Seen) {
    if !tracing::enabled!(tracing::Level::WARN) {
        return;
    }
    // Before the signal, which wakes it.
    let is_blocked = worker.subject().and_then(Subject::is_blocked);
    let held = clock::now().saturating_duration_since(seen.since);
    let cpu = worker
        .subject()
        .and_then(|subject| subject.cpu_time())
        .zip(seen.cpu)
        .map(|(now, then)| now.saturating_sub(then));
    let sampled = sample(worker);
    if worker.tally().pulse() != seen.pulse || worker.is_parked() {
        return;
    }
    let kind = match (cpu, is_blocked) {
        (Some(cpu), _) if cpu >= held / 2 => "CPU-bound",
        (_, Some(true)) => "blocked in a system call",
        (_, Some(false)) => "CPU-bound, and the machine is short of CPUs",
        _ => "of unknown kind",
    };
    match sampled {
        Some((Some(fiber), backtrace)) => {
            let origin = &fiber.control().origin;
            tracing::warn!(
                fiber = %origin.id,
                name = origin.name.as_deref(),
                spawned_at = %origin.spawned_at,
                worker = index,
                "a fiber holds its worker for {held:.0?} now, {kind}; yield_now() lets others run, blocking() takes it elsewhere\n{backtrace}",
            );
        }
        // Between two fibers: in the driver, or in a hurry to answer a dump.
        Some((None, _)) => {}
        None => tracing::warn!(worker = index, "a fiber holds its worker for {held:.0?} now, {kind}"),
    }
}

/// Who runs on a worker that does not look outside, and where it is.
pub(crate) fn sample(worker: &Remote) -> Option<(Option<FiberRef>, Trace)> {
    let sample = worker.subject()?.sample()?;
    // SAFETY: the note is what `Worker::note` returned, once for this sample.
    let fiber = unsafe { FiberRef::from_note(sample.note) };
    Some((fiber, Trace::from_addresses(sample.addresses)))
}
