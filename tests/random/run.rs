//! Runs a program, on the seeded scheduler or on real workers, and says which promises were broken.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use fibra_scheduler::cancel::shield;
use fibra_scheduler::seeded::Trace;
use fibra_scheduler::{driver, runtime, sleep, spawn};

use crate::actor::Actor;
use crate::program::{Fate, Program};
use crate::watch::{describe, is_scope_panic};
use crate::world::{Token, World};

/// How long a program may take on real workers; most take some milliseconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// What went wrong, a line each.
pub(crate) type Broken = Vec<String>;

fn builder() -> runtime::Builder {
    // Nothing is to be leaked: every program ends by itself when it is cancelled.
    runtime::Builder::new(driver::idle).grace(PATIENCE)
}

/// Runs the program of `seed` under that seed.
pub(crate) fn under_its_seed(seed: u64) -> Result<Trace, Broken> {
    let world = World::new(Program::new(seed));
    let inside = world.clone();
    let ran = builder().seed(seed).run_traced(move || main_fiber(&inside));
    match ran {
        Ok((setter, trace)) => {
            // Beside those that play a script there is only the one that sets the flags.
            let started = u64::from(setter) + world.runs();
            if trace.fibers() != started || trace.leaked() != 0 {
                world.broken(format!(
                    "{} of {} fibers were leaked, {started} were to start",
                    trace.leaked(),
                    trace.fibers()
                ));
            }
            let broken = world.verdict();
            if broken.is_empty() { Ok(trace) } else { Err(broken) }
        }
        // What else was broken then follows from that: its fibers were cancelled.
        Err(error) => Err([vec![error.to_string()], world.verdict()].concat()),
    }
}

/// Runs the program of `seed` on two workers.
pub(crate) fn on_two_workers(seed: u64) -> Result<(), Broken> {
    let (sender, ended) = mpsc::channel();
    let runner = thread::spawn(move || {
        let world = World::new(Program::new(seed));
        if let Err(error) = builder().workers(2).run(|| main_fiber(&world)) {
            world.broken(error.to_string());
        }
        let _ = sender.send(world.verdict());
    });
    let broken = ended.recv_timeout(PATIENCE).unwrap_or_else(|_| vec!["it never ended on two workers".into()]);
    if broken.is_empty() {
        runner.join().expect("the verdict was its last word");
        return Ok(());
    }
    Err(broken)
}

/// Plays the first script, beside a fiber that sets all flags so that nobody waits for ever. Returns whether that one started.
fn main_fiber(world: &Arc<World>) -> bool {
    let setting = world.clone();
    let started = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let setter = started.clone();
    drop(spawn(move || {
        setter.store(true, SeqCst);
        shield(|| {
            for flag in &setting.flags {
                sleep(Duration::from_micros(150)).expect("shielded");
                flag.set();
            }
        });
    }));
    let result = catch_unwind(AssertUnwindSafe(|| Actor::play(world.clone(), 0, None)));
    let right = match (&result, world.program.fate(0)) {
        (Ok(token), Fate::Returns) => token.fiber == 0,
        (Err(payload), Fate::Panics) => payload.downcast_ref::<Token>().is_some_and(|token| token.fiber == 0),
        (Err(payload), Fate::ScopePanics) => is_scope_panic(&**payload),
        _ => false,
    };
    if !right {
        let how = result.as_ref().map_or_else(|payload| describe(&**payload), |_| "a value".into());
        world.broken(format!("the main fiber ended with {how}, not {:?}", world.program.fate(0)));
    }
    drop(result);
    world.stopping.store(true, SeqCst);
    world.flags.iter().for_each(|flag| flag.set());
    started.load(SeqCst)
}
