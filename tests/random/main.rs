//! Random programs keep every promise: what fibers do to each other, in any order, loses no wake, runs nothing twice, leaks nothing.
//!
//! Each program comes from a seed, and so does the order in which its fibers run. Some run on real workers, too.
//!
//! | variable | what it does |
//! |---|---|
//! | `FIBRA_RANDOM_PROGRAMS=100000` | how many programs, instead of 2,000 |
//! | `FIBRA_RANDOM_SEED=17` | only that program, printed first; what a failure says |

mod actor;
mod program;
mod rng;
mod run;
mod watch;
mod world;

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use std::{env, panic, thread};

use program::Program;
use run::Broken;

/// One in so many programs runs a second time, which must give the same trace.
const RERUN: u64 = 100;

/// One in so many programs runs on real workers, too.
const REAL: u64 = 50;

fn number(variable: &str) -> Option<u64> {
    let value = env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {value}")))
}

/// Keeps quiet about the panics that programs are made of.
fn hush() {
    let loud = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !watch::is_scope_panic(info.payload()) {
            loud(info);
        }
    }));
}

fn check(seed: u64, events: &AtomicU64) -> Result<u64, Broken> {
    let trace = run::under_its_seed(seed)?;
    events.fetch_add(trace.events(), Relaxed);
    if seed.is_multiple_of(RERUN) && run::under_its_seed(seed)? != trace {
        return Err(vec!["a second run took another course".into()]);
    }
    if seed.is_multiple_of(REAL) {
        run::on_two_workers(seed)?;
    }
    Ok(trace.hash())
}

fn fail(seed: u64, broken: &Broken) -> ! {
    panic!(
        "program {seed}: {}\n{}\nto see it again: FIBRA_RANDOM_SEED={seed} cargo test --test random",
        broken.join("\n"),
        Program::new(seed)
    );
}

#[test]
fn random_programs_keep_every_promise() {
    hush();
    if let Some(seed) = number("FIBRA_RANDOM_SEED") {
        println!("program {seed}: {}", Program::new(seed));
        run::under_its_seed(seed).and_then(|_| run::on_two_workers(seed)).unwrap_or_else(|broken| fail(seed, &broken));
        return;
    }
    let programs = number("FIBRA_RANDOM_PROGRAMS").unwrap_or(2_000);
    let jobs = thread::available_parallelism().map_or(1, |cpus| cpus.get() as u64);
    let (next, events, start) = (AtomicU64::new(0), AtomicU64::new(0), now());
    let mapped_before = mapped_kib();
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Relaxed);
                    if seed >= programs {
                        break;
                    }
                    if let Err(broken) = check(seed, &events) {
                        next.store(programs, Relaxed);
                        fail(seed, &broken);
                    }
                    if seed % 10_000 == 9_999 {
                        eprintln!("{} of {programs} programs, {:.1?}", seed + 1, now() - start);
                    }
                }
            });
        }
    });
    let took = now() - start;
    println!(
        "{programs} programs, {} events in {took:.1?}: {:.0} programs/s on {jobs} threads",
        events.load(Relaxed),
        programs as f64 / took.max(Duration::from_millis(1)).as_secs_f64(),
    );
    // A stack that did not come back would keep its slab of 16 MiB mapped. The allocator may map 64 MiB for each of eight arenas a
    // CPU, whatever leaks; AddressSanitizer keeps a stack of its own for each fiber.
    let grown = mapped_kib().saturating_sub(mapped_before);
    assert!(
        cfg!(feature = "sanitizer") || grown < (jobs * 8 * 64 + 512) << 10,
        "{grown} KiB more are mapped than at the start"
    );
}

/// The combined hash of some programs, so that debug and release, and every machine, are compared with each other. It changes
/// with the generator and with what the scheduler does.
#[test]
fn a_seed_is_the_same_run_in_every_build() {
    hush();
    let hash = (0..200).fold(0, |hash: u64, seed| {
        hash.rotate_left(5) ^ run::under_its_seed(seed).unwrap_or_else(|broken| fail(seed, &broken)).hash()
    });
    assert_eq!(hash, 14441554171326576609);
}

fn now() -> Instant {
    fibra_scheduler::clock::now()
}

/// The address space that this process takes.
fn mapped_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}
