//! What a program's fibers share: who ran and who was asked to end, what is still alive, and which promises were broken.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};

use fibra_scheduler::park::{self, Reason, Unparker};
use fibra_scheduler::{in_fiber, yield_now};
use parking_lot::Mutex;

use crate::program::Program;

pub(crate) struct World {
    pub(crate) program: Program,
    pub(crate) fibers: Vec<Record>,
    pub(crate) flags: Vec<Flag>,
    /// The main script has ended: fibers may be cancelled, and refused.
    pub(crate) stopping: AtomicBool,
    /// Tokens that were not dropped yet.
    alive: AtomicUsize,
    broken: Mutex<Vec<String>>,
}

/// What is known of a fiber. Of a cancellation, what must be seen and what may be.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) parent: AtomicUsize,
    /// Spawned under a shield: what befalls its parent is not handed on.
    pub(crate) independent: AtomicBool,
    pub(crate) runs: AtomicU32,
    pub(crate) ends: AtomicU32,
    /// Its `cancel` was about to be called.
    pub(crate) cancel_begun: AtomicBool,
    /// Its `cancel` has returned, or it was spawned by a fiber that saw its own.
    pub(crate) cancel_done: AtomicBool,
    /// It unwinds, so its scopes cancel their children.
    pub(crate) unwinding: AtomicBool,
}

impl World {
    pub(crate) fn new(program: Program) -> Arc<Self> {
        Arc::new(World {
            fibers: program.scripts.iter().map(|_| Record::default()).collect(),
            flags: (0..program.flags).map(|_| Flag::default()).collect(),
            program,
            stopping: AtomicBool::new(false),
            alive: AtomicUsize::new(0),
            broken: Mutex::default(),
        })
    }

    /// Notes a broken promise.
    pub(crate) fn broken(&self, what: impl Into<String>) {
        self.broken.lock().push(what.into());
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(SeqCst)
    }

    /// Whether anything can have cancelled `fiber`.
    pub(crate) fn may_be_cancelled(&self, fiber: usize) -> bool {
        let mut at = fiber;
        loop {
            let record = &self.fibers[at];
            if self.is_stopping() || record.cancel_begun.load(SeqCst) || (at != fiber && record.unwinding.load(SeqCst))
            {
                return true;
            }
            if at == 0 || record.independent.load(SeqCst) {
                return false;
            }
            at = record.parent.load(SeqCst);
        }
    }

    /// How many fibers ran.
    pub(crate) fn runs(&self) -> u64 {
        self.fibers.iter().map(|fiber| u64::from(fiber.runs.load(SeqCst))).sum()
    }

    /// What was broken, now that the runtime has ended.
    pub(crate) fn verdict(self: &Arc<Self>) -> Vec<String> {
        for (number, fiber) in self.fibers.iter().enumerate() {
            let (runs, ends) = (fiber.runs.load(SeqCst), fiber.ends.load(SeqCst));
            if runs > 1 || ends != runs {
                self.broken(format!("fiber {number} ran {runs} times and ended {ends} times"));
            }
        }
        let alive = self.alive.load(SeqCst);
        if alive != 0 {
            self.broken(format!("{alive} tokens were leaked"));
        }
        let owners = Arc::strong_count(self);
        if owners != 1 {
            self.broken(format!("{} fibers still hold the world", owners - 1));
        }
        std::mem::take(&mut self.broken.lock())
    }
}

/// Is counted as long as it lives: in closures, on stacks, in results, in locals, in panics.
pub(crate) struct Token {
    pub(crate) world: Arc<World>,
    pub(crate) fiber: usize,
}

impl Token {
    pub(crate) fn new(world: &Arc<World>, fiber: usize) -> Self {
        world.alive.fetch_add(1, SeqCst);
        Token { world: world.clone(), fiber }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        // A destructor may switch, wherever it runs: of a result that nobody took, of a local, while unwinding.
        if self.fiber.is_multiple_of(3) && in_fiber() {
            yield_now();
        }
        self.world.alive.fetch_sub(1, SeqCst);
    }
}

/// Panics with a token, without the message that every panic prints.
pub(crate) fn panic_with(token: Token) -> ! {
    token.world.fibers[token.fiber].unwinding.store(true, SeqCst);
    resume_unwind(Box::new(token))
}

/// Is set once; whoever waits for it is unparked.
#[derive(Default)]
pub(crate) struct Flag {
    set: AtomicBool,
    waiting: Mutex<Vec<Unparker>>,
}

impl Flag {
    pub(crate) fn set(&self) {
        self.set.store(true, SeqCst);
        let waiting = std::mem::take(&mut *self.waiting.lock());
        waiting.iter().for_each(Unparker::unpark);
    }

    /// Parks by `park` until the flag is set, or `park` fails.
    pub(crate) fn wait<E>(&self, mut park: impl FnMut() -> Result<(), E>) -> Result<(), E> {
        self.waiting.lock().push(park::current());
        while !self.set.load(SeqCst) {
            park()?;
        }
        Ok(())
    }

    pub(crate) fn wait_hard(&self) {
        while !self.set.load(SeqCst) {
            self.waiting.lock().push(park::current());
            if !self.set.load(SeqCst) {
                park::park(Reason::Parked);
            }
        }
    }
}
