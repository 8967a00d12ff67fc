//! What is left of a seeded run: a hash over every switch, and a few counts.
//!
//! Two runs with the same hash switched between the same fibers, for the same reasons, at the same times. Nothing goes in that differs
//! between machines, builds or processes: no addresses, no [`FiberId`](crate::FiberId)s, no file descriptors.

use std::cell::Cell;
use std::time::Duration;

use crate::park::Reason;
use crate::rng::mix;

thread_local! {
    /// What has been noted since the last event; 0: nothing.
    static NOTED: Cell<u64> = const { Cell::new(0) };
}

/// Makes `word` part of the trace hash of the seeded run on this thread: for what happens around its fibers, and must be the same on each rerun.
#[inline]
pub fn note(word: u64) {
    NOTED.set(mix(NOTED.get() ^ word).wrapping_add(word) | 1);
}

/// What happened in a seeded run. Equal for equal runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    seed: u64,
    hash: u64,
    events: u64,
    started: u64,
    /// Given a stack only to drop their closure, in the shutdown.
    refused: u64,
    ended: u64,
    elapsed: Duration,
}

impl Trace {
    /// The seed of the run.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The hash over all events: the same on a rerun, on another machine, in debug and release. Not across versions of fibra.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How many events there were: a fiber started, parked, yielded, was resumed, ended, or was refused at shutdown.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// How many fibers were started.
    pub fn fibers(&self) -> u64 {
        self.started
    }

    /// How many fibers ignored their cancellation for the whole grace period of the shutdown, and were leaked.
    pub fn leaked(&self) -> u64 {
        self.started + self.refused - self.ended
    }

    /// How much virtual time the run took.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

/// What a worker does with a fiber.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    Start,
    Resume,
    Yield,
    Park(Reason),
    End,
    Refuse,
}

impl Event {
    /// Fixed numbers, so that a new kind does not change the hash of runs without it.
    fn code(self) -> u64 {
        match self {
            Event::Start => 1,
            Event::Resume => 2,
            Event::Yield => 3,
            Event::End => 4,
            Event::Refuse => 5,
            Event::Park(reason) => match reason {
                Reason::Parked => 16,
                Reason::Join(_) => 17,
                Reason::Scope => 18,
                Reason::Future => 19,
                Reason::Sleep => 20,
                Reason::Readable(_) => 21,
                Reason::Writable(_) => 22,
                Reason::Lock { .. } => 23,
                Reason::Channel => 24,
                Reason::Call => 25,
                Reason::Blocking => 26,
                Reason::Condvar => 27,
                Reason::Semaphore => 28,
                Reason::Barrier => 29,
                Reason::WaitGroup => 30,
                Reason::OnceLock => 31,
                Reason::AnyReadable => 32,
            },
        }
    }
}

/// Makes the [`Trace`] of a run.
#[derive(Debug)]
pub(crate) struct Recorder {
    trace: Trace,
}

impl Recorder {
    pub(super) fn new(seed: u64) -> Self {
        NOTED.set(0);
        // The seed itself is not hashed: two seeds that lead to the same run have the same hash.
        Recorder {
            trace: Trace { seed, hash: 0, events: 0, started: 0, refused: 0, ended: 0, elapsed: Duration::ZERO },
        }
    }

    pub(crate) fn seed(&self) -> u64 {
        self.trace.seed
    }

    /// The number of the next fiber.
    pub(crate) fn next_number(&self) -> u64 {
        self.trace.started + self.trace.refused
    }

    pub(super) fn record(&mut self, at: Duration, fiber: u64, event: Event) {
        let trace = &mut self.trace;
        trace.events += 1;
        match event {
            Event::Start => trace.started += 1,
            Event::Refuse => trace.refused += 1,
            Event::End => trace.ended += 1,
            _ => {}
        }
        let noted = NOTED.take();
        if noted != 0 {
            trace.hash = mix(trace.hash ^ noted);
        }
        // Within the horizon, so it fits.
        let nanos = at.as_nanos() as u64;
        trace.hash = mix(mix(trace.hash ^ ((fiber << 8) | event.code())).wrapping_add(nanos));
    }

    pub(crate) fn finish(mut self, elapsed: Duration) -> Trace {
        self.trace.elapsed = elapsed;
        self.trace
    }
}
