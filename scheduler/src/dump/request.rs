//! Asking the workers for their parts of a dump, and putting these together.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::{Dump, FiberDump, SilentWorker, State};
use crate::FiberId;
use crate::clock;
use crate::park::{self, Reason, Unparker, Wakeup};
use crate::runtime::Shared;
use crate::stacks::Stacks;

/// How long a dump waits for the workers. One that no fiber holds answers within a millisecond and what its fibers' backtraces
/// take: 10 to 20 ms for the most that it takes.
pub const ANSWER_MAX: Duration = Duration::from_millis(500);

/// A dump in the making. Workers hold it until they have answered.
pub(crate) struct Request {
    /// The fiber that asks. It is parked while it waits, but to whoever reads the dump it runs.
    asking: Option<FiberId>,
    asker: Unparker,
    /// One for each worker; empty once the asker has taken them.
    answers: Mutex<Vec<Option<Vec<FiberDump>>>>,
}

impl Request {
    pub(crate) fn new(workers: usize) -> Arc<Self> {
        let asking = crate::current().map(|fiber| fiber.id());
        Arc::new(Request { asking, asker: park::current(), answers: Mutex::new(vec![None; workers]) })
    }

    /// Whether `fiber` is the one that asks.
    pub(crate) fn is_asking(&self, fiber: FiberId) -> bool {
        self.asking == Some(fiber)
    }

    /// Takes a worker's answer; the last one wakes the asker.
    pub(crate) fn answer(&self, worker: usize, fibers: Vec<FiberDump>) {
        let mut answers = self.answers.lock();
        // None: the asker has stopped waiting.
        let Some(answer) = answers.get_mut(worker) else { return };
        *answer = Some(fibers);
        let is_last = answers.iter().all(Option::is_some);
        drop(answers);
        if is_last {
            self.asker.unpark();
        }
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.answers.lock().iter().all(Option::is_some)
    }

    /// Puts together what has been answered.
    pub(crate) fn finish(&self) -> Dump {
        let answers = std::mem::take(&mut *self.answers.lock());
        let mut dump = Dump { workers: answers.len(), ..Dump::default() };
        for (worker, answer) in answers.into_iter().enumerate() {
            match answer {
                Some(fibers) => dump.fibers.extend(fibers),
                None => dump.silent.push(SilentWorker { worker, running: None }),
            }
        }
        // One that was stolen between two answers may be in both; once started, it is only where it stays.
        dump.fibers.sort_by_key(|fiber| (fiber.id, fiber.state == State::NotStarted));
        dump.fibers.dedup_by_key(|fiber| fiber.id);
        dump
    }
}

/// Asks all workers and waits for their answers.
pub(crate) fn collect(shared: &Shared) -> Dump {
    let request = Request::new(shared.workers.len());
    for worker in &shared.workers {
        worker.ask(request.clone());
    }
    let deadline = clock::now() + ANSWER_MAX;
    while !request.is_answered() {
        if park::park_until(Reason::Parked, Some(deadline)) == Wakeup::TimedOut {
            break;
        }
    }
    let mut dump = request.finish();
    for silent in &mut dump.silent {
        silent.running = super::held_by(silent.worker, &shared.workers[silent.worker]);
    }
    dump.with_stacks(&Stacks::new(shared))
}
