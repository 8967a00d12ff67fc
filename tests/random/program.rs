//! What a random program is: a script for each fiber. And how one comes from a seed.
//!
//! Programs always end: whoever waits for a flag is woken at the latest by a fiber that sets them all (see `run`), nobody waits for
//! what comes after its own end, and all else is bounded.

use std::fmt;

use crate::rng::Rng;

/// How many fibers a program has at the most.
const FIBERS_MAX: usize = 40;

/// How deep fibers, scopes and blocks nest.
const DEPTH_MAX: u32 = 4;

#[derive(Debug)]
pub(crate) enum Op {
    Yield,
    /// Microseconds.
    Sleep(u64),
    /// Waits for a flag, as far as cancellation and deadlines allow.
    Wait(usize),
    /// Waits for a flag, whatever happens.
    WaitHard(usize),
    Set(usize),
    Spawn {
        child: usize,
        local: bool,
    },
    Join(usize),
    /// Joins as a future.
    Await(usize),
    Cancel(usize),
    /// Cancels and joins, scoped or not.
    Stop {
        child: usize,
        scoped: bool,
    },
    /// Gives a child a token that it does not expect.
    Unpark(usize),
    Detach(usize),
    Scope(Vec<Op>),
    SpawnScoped {
        child: usize,
        local: bool,
    },
    JoinScoped(usize),
    CancelScoped(usize),
    DropScoped(usize),
    /// Under a timeout, in microseconds.
    Within(u64, Vec<Op>),
    Shield(Vec<Op>),
    /// Looks at a fiber local and sets it.
    Local,
    Blocking,
    Panic,
    /// Gives itself a token and parks.
    OwnToken,
    /// Counts the switches that [`on_first_park`](fibra_scheduler::park::on_first_park) tells of.
    Hook(Vec<Op>),
    /// Sleeps for an hour: only for fibers that somebody will cancel.
    Endless,
}

/// How a fiber ends, unless the shutdown comes before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Returns,
    Panics,
    /// By a scope of its own in which a child panicked that nobody joined.
    ScopePanics,
}

pub(crate) struct Program {
    /// Of each fiber; the first is the main one's.
    pub(crate) scripts: Vec<Vec<Op>>,
    pub(crate) flags: usize,
}

impl Program {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let flags = 1 + rng.below(3) as usize;
        let budget = 2 + rng.below(FIBERS_MAX as u64 - 1) as usize;
        let mut generator = Generator { rng, flags, budget, scripts: Vec::new(), endless: Vec::new(), forwards: false };
        generator.script(0);
        let scripts = generator.scripts.into_iter().map(Option::unwrap_or_default).collect();
        Program { scripts, flags }
    }

    pub(crate) fn fate(&self, fiber: usize) -> Fate {
        self.fate_of(&self.scripts[fiber], &mut Vec::new())
    }

    /// `open`: the children of the scope around, spawned and not joined.
    fn fate_of(&self, ops: &[Op], open: &mut Vec<usize>) -> Fate {
        for op in ops {
            let fate = match op {
                Op::Panic => Fate::Panics,
                Op::Within(_, ops) | Op::Shield(ops) | Op::Hook(ops) => self.fate_of(ops, open),
                Op::Scope(ops) => {
                    let mut open = Vec::new();
                    match self.fate_of(ops, &mut open) {
                        Fate::Returns if open.iter().any(|&child| self.fate(child) != Fate::Returns) => {
                            Fate::ScopePanics
                        }
                        fate => fate,
                    }
                }
                Op::SpawnScoped { child, .. } => {
                    open.push(*child);
                    continue;
                }
                Op::JoinScoped(child) | Op::Stop { child, scoped: true } => {
                    open.retain(|other| other != child);
                    continue;
                }
                _ => continue,
            };
            if fate != Fate::Returns {
                return fate;
            }
        }
        Fate::Returns
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} flags", self.flags)?;
        for (fiber, script) in self.scripts.iter().enumerate() {
            writeln!(f, "fiber {fiber} ({:?}): {script:?}", self.fate(fiber))?;
        }
        Ok(())
    }
}

struct Generator {
    rng: Rng,
    flags: usize,
    budget: usize,
    /// `None`: reserved, not finished.
    scripts: Vec<Option<Vec<Op>>>,
    /// The fibers that end only when they are cancelled.
    endless: Vec<usize>,
    /// Whether the fiber whose script this is will be cancelled, and hand that on here to its scopes.
    forwards: bool,
}

/// The children whose handles the script being generated holds.
#[derive(Default)]
struct Handles {
    free: Vec<usize>,
    /// Those of the innermost scope; `None` outside any.
    scoped: Option<Vec<usize>>,
}

impl Generator {
    /// Makes the script of a further fiber; its number.
    fn script(&mut self, depth: u32) -> usize {
        let fiber = self.scripts.len();
        self.scripts.push(None);
        let endless = fiber != 0 && self.rng.one_in(8);
        let outer = std::mem::replace(&mut self.forwards, endless);
        let mut ops = self.ops(depth, &mut Handles::default());
        self.forwards = outer;
        if endless {
            self.endless.push(fiber);
            ops.push(Op::Endless);
        }
        if fiber != 0 && self.rng.one_in(8) {
            ops.push(Op::Panic);
        }
        self.scripts[fiber] = Some(ops);
        fiber
    }

    fn ops(&mut self, depth: u32, handles: &mut Handles) -> Vec<Op> {
        let len = if depth == 0 { 4 + self.rng.below(20) } else { 1 + self.rng.below(8) };
        (0..len).filter_map(|_| self.op(depth, handles)).collect()
    }

    fn child(&mut self, depth: u32) -> Option<usize> {
        (self.scripts.len() < self.budget && depth < DEPTH_MAX).then(|| self.script(depth + 1))
    }

    fn micros(&mut self) -> u64 {
        // Often the same, so that timers fall together.
        [1, 50, 100, 100, 200, 400][self.rng.below(6) as usize]
    }

    fn op(&mut self, depth: u32, handles: &mut Handles) -> Option<Op> {
        let flag = self.rng.below(self.flags as u64) as usize;
        let local = self.rng.one_in(2);
        Some(match self.rng.below(36) {
            0..3 => Op::Yield,
            3..6 => Op::Sleep(self.micros()),
            6..8 => Op::Wait(flag),
            8 => Op::WaitHard(flag),
            9 => Op::Set(flag),
            10..15 => {
                let child = self.child(depth)?;
                handles.free.push(child);
                Op::Spawn { child, local }
            }
            15 | 16 => match self.rng.take(&mut handles.free)? {
                child if self.endless.contains(&child) => Op::Stop { child, scoped: false },
                child if local => Op::Join(child),
                child => Op::Await(child),
            },
            17 => Op::Cancel(self.rng.pick(&handles.free)?),
            18 => Op::Unpark(self.rng.pick(&handles.free)?),
            19 => Op::Detach(self.rng.take(&mut handles.free)?),
            20..22 if depth < DEPTH_MAX => {
                let outer = handles.scoped.replace(Vec::new());
                let mut ops = self.ops(depth + 1, handles);
                let open = std::mem::replace(&mut handles.scoped, outer).unwrap_or_default();
                // The scope waits for them.
                if !self.forwards {
                    ops.extend(open.into_iter().filter(|child| self.endless.contains(child)).map(Op::CancelScoped));
                }
                Op::Scope(ops)
            }
            22..26 => {
                let scoped = handles.scoped.as_mut()?;
                let child = self.child(depth)?;
                scoped.push(child);
                Op::SpawnScoped { child, local }
            }
            26 => match self.rng.below(3) {
                0 => Op::CancelScoped(self.rng.pick(handles.scoped.as_ref()?)?),
                choice => match self.rng.take(handles.scoped.as_mut()?)? {
                    child if self.endless.contains(&child) => Op::Stop { child, scoped: true },
                    child if choice == 1 => Op::JoinScoped(child),
                    child => Op::DropScoped(child),
                },
            },
            27 if depth < DEPTH_MAX => Op::Within(self.micros(), self.ops(depth + 1, handles)),
            28 if depth < DEPTH_MAX => {
                let outer = std::mem::replace(&mut self.forwards, false);
                let ops = self.ops(depth + 1, handles);
                self.forwards = outer;
                Op::Shield(ops)
            }
            29 => Op::Local,
            30 => Op::Blocking,
            31 => Op::OwnToken,
            32 if depth < DEPTH_MAX => Op::Hook(self.ops(depth + 1, handles)),
            33 if depth > 0 && self.rng.one_in(4) => Op::Panic,
            _ => return None,
        })
    }
}
