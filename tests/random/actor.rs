//! A fiber that plays its script, and watches that every promise made to it is kept.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

use fibra_scheduler::cancel::{self, Interrupted, is_cancelled, shield, with_timeout};
use fibra_scheduler::park::{self, Reason, on_first_park};
use fibra_scheduler::{
    JoinHandle, Scope, ScopedJoinHandle, block_on, blocking, clock, scope, sleep, spawn, spawn_local, yield_now,
};

use crate::program::Op;
use crate::watch::Strict;
use crate::world::{Token, World, panic_with};

/// See the [module](self).
pub(crate) struct Actor {
    pub(crate) world: Arc<World>,
    pub(crate) number: usize,
    /// What must be ambient here.
    pub(crate) deadline: Option<Instant>,
    pub(crate) shielded: bool,
    handles: Vec<(usize, JoinHandle<Token>)>,
}

/// The innermost scope of an actor.
struct Inside<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    handles: Vec<(usize, ScopedJoinHandle<'scope, Token>)>,
    /// On the parent's stack: how many children have ended.
    ended: &'env AtomicU32,
}

fn take<H>(handles: &mut Vec<(usize, H)>, child: usize) -> H {
    let at = handles.iter().position(|&(number, _)| number == child).expect("the generator knows its handles");
    handles.swap_remove(at).1
}

fn find<H>(handles: &[(usize, H)], child: usize) -> &H {
    &handles.iter().find(|&&(number, _)| number == child).expect("the generator knows its handles").1
}

impl Actor {
    /// Plays the script of fiber `number`, which inherits `deadline`, to its end.
    pub(crate) fn play(world: Arc<World>, number: usize, deadline: Option<Instant>) -> Token {
        /// Counts the end, also of a fiber that panics.
        struct End(Arc<World>, usize);
        impl Drop for End {
            fn drop(&mut self) {
                self.0.fibers[self.1].ends.fetch_add(1, SeqCst);
            }
        }
        world.fibers[number].runs.fetch_add(1, SeqCst);
        let _end = End(world.clone(), number);
        let _token = Token::new(&world, number);
        let mut actor = Actor { world: world.clone(), number, deadline, shielded: false, handles: Vec::new() };
        actor.watch_ambient();
        actor.play_ops(&world.program.scripts[number], &mut None);
        Token::new(&world, number)
    }

    fn play_ops(&mut self, ops: &[Op], inside: &mut Option<Inside<'_, '_>>) {
        for op in ops {
            self.play_op(op, inside);
            self.watch_ambient();
        }
    }

    fn play_op(&mut self, op: &Op, inside: &mut Option<Inside<'_, '_>>) {
        match *op {
            Op::Yield => yield_now(),
            Op::Sleep(micros) => self.sleep(Duration::from_micros(micros)),
            Op::Wait(flag) => {
                let world = self.world.clone();
                let _ = world.flags[flag].wait(|| self.watch(Strict::Always, || park::wait(Reason::Parked, None)));
            }
            Op::WaitHard(flag) => self.world.flags[flag].wait_hard(),
            Op::Set(flag) => self.world.flags[flag].set(),
            Op::Spawn { child, local } => {
                let play = self.prepare(child, false);
                let handle = if local { spawn_local(play) } else { spawn(play) };
                self.handles.push((child, handle));
            }
            Op::Join(child) => {
                let result = take(&mut self.handles, child).join();
                self.watch_end(child, result);
            }
            Op::Await(child) => {
                let handle = take(&mut self.handles, child);
                let mut result = None;
                let _ = self.watch(Strict::Never, || block_on(handle).map(|joined| result = Some(joined)));
                if let Some(result) = result {
                    self.watch_end(child, result);
                }
            }
            Op::Cancel(child) => self.cancel(child, || find(&self.handles, child).cancel()),
            Op::Stop { child, scoped } => {
                let result = if scoped {
                    let handle = take(&mut inside.as_mut().expect("in a scope").handles, child);
                    self.cancel(child, || handle.cancel());
                    handle.join()
                } else {
                    let handle = take(&mut self.handles, child);
                    self.cancel(child, || handle.cancel());
                    handle.join()
                };
                self.watch_end(child, result);
            }
            Op::Unpark(child) => find(&self.handles, child).unparker().unpark(),
            Op::Detach(child) => drop(take(&mut self.handles, child)),
            Op::Scope(ref ops) => self.play_scope(ops),
            Op::SpawnScoped { child, local } => {
                let inside = inside.as_mut().expect("in a scope");
                let (play, ended) = (self.prepare(child, true), inside.ended);
                let play = move || {
                    /// Borrows from the parent's stack to its very end.
                    struct Count<'a>(&'a AtomicU32);
                    impl Drop for Count<'_> {
                        fn drop(&mut self) {
                            self.0.fetch_add(1, SeqCst);
                        }
                    }
                    let _count = Count(ended);
                    play()
                };
                let handle = if local { inside.scope.spawn_local(play) } else { inside.scope.spawn(play) };
                inside.handles.push((child, handle));
            }
            Op::JoinScoped(child) => {
                let result = take(&mut inside.as_mut().expect("in a scope").handles, child).join();
                self.watch_end(child, result);
            }
            Op::CancelScoped(child) => {
                self.cancel(child, || find(&inside.as_ref().expect("in a scope").handles, child).cancel());
            }
            Op::DropScoped(child) => drop(take(&mut inside.as_mut().expect("in a scope").handles, child)),
            Op::Within(micros, ref ops) => {
                let outer = self.deadline;
                with_timeout(Duration::from_micros(micros), || {
                    self.deadline = cancel::deadline();
                    if self.deadline.is_none_or(|inner| outer.is_some_and(|outer| outer < inner)) {
                        self.broken("a timeout put off an earlier deadline");
                    }
                    self.play_ops(ops, inside);
                });
                self.deadline = outer;
            }
            Op::Shield(ref ops) => {
                let outer = (self.deadline.take(), std::mem::replace(&mut self.shielded, true));
                shield(|| self.play_ops(ops, inside));
                (self.deadline, self.shielded) = outer;
            }
            Op::Local => self.watch_local(),
            Op::Blocking => {
                let number = self.number;
                let _ = self.watch(Strict::Never, || match blocking(move || number) {
                    Ok(_) => Ok(()),
                    Err(error) if is_cancelled(&error) => Err(Interrupted::Cancelled),
                    Err(_) => Err(Interrupted::TimedOut),
                });
            }
            Op::OwnToken => {
                park::current().unpark();
                park::park(Reason::Parked);
            }
            Op::Hook(ref ops) => {
                let mut fired = 0;
                on_first_park(&mut || fired += 1, || self.play_ops(ops, inside));
                if fired > 1 {
                    self.broken("a hook for its first park was called again");
                }
            }
            Op::Endless => {
                if self.watch(Strict::Cancelled, || sleep(Duration::from_secs(3600))).is_ok() {
                    self.broken("nothing cut its endless sleep short");
                }
            }
            Op::Panic => panic_with(Token::new(&self.world, self.number)),
        }
    }

    fn play_scope(&mut self, ops: &[Op]) {
        let ended = AtomicU32::new(0);
        let result = catch_unwind(AssertUnwindSafe(|| {
            scope(|scope| {
                let mut inside = Some(Inside { scope, handles: Vec::new(), ended: &ended });
                self.play_ops(ops, &mut inside);
            });
        }));
        let ran = scoped_children(ops).into_iter().map(|child| self.world.fibers[child].runs.load(SeqCst)).sum();
        if ended.into_inner() != ran {
            self.broken(format!("its scope ended before its {ran} children"));
        }
        if let Err(payload) = result {
            self.world.fibers[self.number].unwinding.store(true, SeqCst);
            resume_unwind(payload);
        }
    }

    /// What fiber `child` runs.
    fn prepare(&self, child: usize, scoped: bool) -> impl FnOnce() -> Token + Send + 'static {
        let record = &self.world.fibers[child];
        record.parent.store(self.number, SeqCst);
        record.independent.store(self.shielded && !scoped, SeqCst);
        if self.watch(Strict::Always, cancel::check) == Err(Interrupted::Cancelled) {
            record.cancel_done.store(true, SeqCst);
        }
        let (token, deadline) = (Token::new(&self.world, child), self.deadline);
        move || Actor::play(token.world.clone(), child, deadline)
    }

    fn cancel(&self, child: usize, cancel: impl FnOnce()) {
        let record = &self.world.fibers[child];
        record.cancel_begun.store(true, SeqCst);
        cancel();
        record.cancel_done.store(true, SeqCst);
    }

    fn sleep(&self, duration: Duration) {
        let start = clock::now();
        let slept = self.watch(Strict::Cancelled, || sleep(duration));
        if slept.is_ok() && clock::now() - start < duration {
            self.broken(format!("it slept too short for {duration:?}"));
        }
    }
}

/// The children of a scope whose closure plays `ops`.
fn scoped_children(ops: &[Op]) -> Vec<usize> {
    ops.iter()
        .flat_map(|op| match op {
            Op::SpawnScoped { child, .. } => vec![*child],
            Op::Within(_, ops) | Op::Shield(ops) | Op::Hook(ops) => scoped_children(ops),
            _ => Vec::new(),
        })
        .collect()
}
