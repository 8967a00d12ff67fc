use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use fibra_scheduler::cancel::with_timeout;
use fibra_scheduler::seeded::{Host, Schedule, Skew, Trace};
use fibra_scheduler::sync::channel;
use fibra_scheduler::{Builder, clock, driver, runtime, sleep, spawn_local, yield_now};

const STEPS: u64 = 200;

/// Under seeds enough that each fiber is sometimes the highest, and sometimes the lowest.
fn each_seed(f: impl Fn() + Copy + 'static) {
    for seed in 0..100 {
        for depth in [1, 3] {
            run(seed, depth, f);
        }
    }
}

fn run(seed: u64, depth: u32, f: impl FnOnce() + 'static) -> Trace {
    let schedule = Schedule::Priorities { depth, steps: STEPS };
    let run = runtime::Builder::new(driver::idle).seed(seed).schedule(schedule).run_traced(f);
    run.unwrap_or_else(|error| panic!("seed {seed}, depth {depth}: {error}")).1
}

/// Loops that yield until something has happened that another such loop does after this one.
#[test]
fn who_yields_in_a_loop_lets_all_others_run() {
    each_seed(|| {
        let turn = Rc::new(Cell::new(0));
        let fibers = [0, 1, 2].map(|own| {
            let turn = turn.clone();
            spawn_local(move || {
                for _ in 0..5 {
                    while turn.get() % 3 != own {
                        yield_now();
                    }
                    turn.set(turn.get() + 1);
                }
            })
        });
        fibers.into_iter().for_each(|fiber| fiber.join().expect("no panic"));
        assert_eq!(turn.get(), 15);
    });
}

/// Two fibers that wake each other until a third, which could run all the time, has ended it.
#[test]
fn who_is_passed_over_for_too_long_comes_first() {
    each_seed(|| {
        let is_over = Rc::new(Cell::new(false));
        let (ping, pings) = channel::bounded::<()>(1);
        let (pong, pongs) = channel::bounded::<()>(1);
        let answers =
            spawn_local(move || pings.iter().try_for_each(|()| pong.send(())).expect("who asks takes the answer"));
        let asks = spawn_local({
            let is_over = is_over.clone();
            move || {
                while !is_over.get() {
                    ping.send(()).expect("answered");
                    pongs.recv().expect("answered");
                }
            }
        });
        let ends = spawn_local(move || {
            for _ in 0..3 {
                yield_now();
            }
            is_over.set(true);
        });
        [answers, asks, ends].into_iter().for_each(|fiber| fiber.join().expect("no panic"));
    });
}

/// The same, among fibers that are taken for loops.
#[test]
fn who_yields_is_not_passed_over_for_ever_either() {
    each_seed(|| {
        let is_over = Rc::new(Cell::new(false));
        let (ping, pings) = channel::bounded::<()>(1);
        let (pong, pongs) = channel::bounded::<()>(1);
        let answers =
            spawn_local(move || pings.iter().try_for_each(|()| pong.send(())).expect("who asks takes the answer"));
        let asks = spawn_local({
            let is_over = is_over.clone();
            move || {
                while !is_over.get() {
                    ping.send(()).expect("answered");
                    pongs.recv().expect("answered");
                }
            }
        });
        let ends = spawn_local(move || {
            for _ in 0..70 {
                yield_now();
            }
            is_over.set(true);
        });
        [answers, asks, ends].into_iter().for_each(|fiber| fiber.join().expect("no panic"));
    });
}

#[test]
fn a_loop_that_yields_until_a_deadline_ends() {
    each_seed(|| {
        let deadline = clock::now() + Duration::from_millis(1);
        let sleeper = spawn_local(|| with_timeout(Duration::from_micros(500), || sleep(Duration::from_secs(1))));
        while clock::now() < deadline {
            yield_now();
        }
        assert!(sleeper.is_finished());
    });
}

/// Whatever their priorities: fibers of a crashed host end first, those of a paused one wait.
#[test]
fn hosts_pause_and_crash_as_under_chance() {
    each_seed(|| {
        let boot = || Host::boot(Skew::default());
        let (paused, crashed) = (boot(), boot());
        let turns = Rc::new(Cell::new(0));
        let spins = |host: Host| {
            let turns = turns.clone();
            let spin = move || {
                while sleep(Duration::from_micros(10)).is_ok() {
                    turns.set(turns.get() + 1);
                }
            };
            host.spawn(Builder::new(), spin).expect("a fiber")
        };
        let doomed = spins(crashed);
        let held = spins(paused);
        sleep(Duration::from_millis(1)).expect("nobody cancels");
        paused.pause();
        crashed.crash();
        yield_now();
        assert_eq!(crashed.fibers(), 0);
        let before = turns.get();
        sleep(Duration::from_millis(1)).expect("nobody cancels");
        assert_eq!(turns.get(), before);
        paused.resume();
        sleep(Duration::from_millis(1)).expect("nobody cancels");
        assert!(turns.get() > before);
        held.cancel();
        [doomed, held].into_iter().for_each(|fiber| fiber.join().expect("no panic"));
    });
}
