//! In a seeded run, the fibers of a host that crashes fail in whatever they wait for, spawn nothing more, and are gone before anybody else
//! runs; nobody else notices.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use fibra_scheduler::cancel::{self, Interrupted};
use fibra_scheduler::seeded::{self, Host, Skew, Trace};
use fibra_scheduler::{Builder, JoinHandle, clock, driver, park, runtime, sleep, spawn_local, yield_now};

const HOUR: Duration = Duration::from_secs(3600);

fn in_a_run<T: 'static>(seed: u64, f: impl FnOnce() -> T + 'static) -> (T, Trace) {
    runtime::Builder::new(driver::idle).seed(seed).run_traced(f).expect("no deadlock")
}

fn on<T: 'static>(host: Host, f: impl FnOnce() -> T + 'static) -> JoinHandle<T> {
    host.spawn(Builder::new(), f).expect("there is room")
}

#[test]
fn every_wait_of_it_fails_shielded_or_not() {
    for seed in 0..50 {
        in_a_run(seed, || {
            let host = Host::boot(Skew::default());
            let waits: [fn() -> Result<(), Interrupted>; 4] = [
                || sleep(HOUR),
                || cancel::shield(|| sleep(HOUR)),
                || {
                    loop {
                        park::wait(park::Reason::Parked, None)?;
                    }
                },
                // What it spawned belongs to the host, too.
                || spawn_local(|| sleep(HOUR)).join().expect("it did not panic"),
            ];
            let fibers = waits.map(|wait| on(host, wait));
            let bystander = spawn_local(|| sleep(Duration::from_secs(2)));
            sleep(Duration::from_secs(1)).expect("nobody cancels us");
            let crashed_at = clock::now();
            host.crash();
            for fiber in fibers {
                assert_eq!(fiber.join().expect("it did not panic"), Err(Interrupted::Cancelled));
            }
            assert_eq!(host.fibers(), 0);
            assert!(clock::now() - crashed_at < Duration::from_millis(1), "nobody waited any more");
            assert_eq!(bystander.join().expect("it did not panic"), Ok(()));
        });
    }
}

#[test]
fn nobody_runs_before_it_is_gone() {
    for seed in 0..50 {
        in_a_run(seed, || {
            let (host, left) = (Host::boot(Skew::default()), Rc::new(Cell::new(0)));
            for _ in 0..10 {
                let left = left.clone();
                drop(on(host, move || {
                    left.set(left.get() + 1);
                    // Unwinds in several steps.
                    for _ in 0..3 {
                        let _ = sleep(HOUR);
                        yield_now();
                    }
                    left.set(left.get() - 1);
                }));
            }
            sleep(Duration::from_secs(1)).expect("nobody cancels us");
            assert_eq!(left.get(), 10);
            host.crash();
            yield_now();
            assert_eq!((left.get(), host.fibers()), (0, 0));
        });
    }
}

#[test]
fn what_it_spawned_and_had_not_begun_never_runs() {
    for seed in 0..50 {
        in_a_run(seed, || {
            let (host, ran) = (Host::boot(Skew::default()), Rc::new(Cell::new(false)));
            let suicide = {
                let ran = ran.clone();
                on(host, move || {
                    host.crash();
                    assert_eq!(sleep(HOUR), Err(Interrupted::Cancelled), "from that instant");
                    drop(spawn_local(move || ran.set(true)));
                })
            };
            suicide.join().expect("it did not panic");
            sleep(Duration::from_secs(1)).expect("nobody cancels us");
            assert!(!ran.get());
        });
    }
}

#[test]
fn who_does_not_end_is_left_behind() {
    let (host, trace) = in_a_run(7, || {
        let host = Host::boot(Skew::default());
        drop(on(host, || {
            loop {
                let _ = sleep(HOUR);
            }
        }));
        drop(on(host, || {
            loop {
                yield_now();
                if sleep(HOUR).is_err() {
                    yield_now();
                }
            }
        }));
        sleep(Duration::from_secs(1)).expect("nobody cancels us");
        host.crash();
        sleep(Duration::from_secs(1)).expect("nobody is held up for ever");
        assert_eq!(host.fibers(), 2);
        host
    });
    assert_eq!(trace.leaked(), 2, "{host:?}");
}

#[test]
fn a_paused_host_stands_still_while_time_goes_on() {
    in_a_run(7, || {
        let (host, seen) = (Host::boot(Skew::default()), Rc::new(RefCell::new(Vec::new())));
        let begin = clock::now();
        let fiber = {
            let seen = seen.clone();
            on(host, move || {
                for _ in 0..3 {
                    sleep(Duration::from_secs(1)).expect("nobody cancels us");
                    seen.borrow_mut().push((clock::now() - begin).as_secs());
                }
            })
        };
        sleep(Duration::from_millis(1500)).expect("nobody cancels us");
        host.pause();
        sleep(Duration::from_secs(10)).expect("nobody cancels us");
        assert_eq!(*seen.borrow(), [1]);
        host.resume();
        fiber.join().expect("it did not panic");
        assert_eq!(*seen.borrow(), [1, 11, 12]);
    });
}

#[test]
fn a_hosts_clock_is_its_own() {
    in_a_run(7, || {
        let begin = clock::now();
        let slow = Host::boot(Skew { offset: Duration::from_secs(100), drift: -500_000 });
        let fiber = on(slow, move || {
            assert_eq!((clock::now() - begin).as_secs(), 100);
            let (before, run_before) = (clock::now(), seeded::elapsed().expect("in a seeded run"));
            sleep(Duration::from_secs(10)).expect("nobody cancels us");
            let (own, run) = (clock::now() - before, seeded::elapsed().expect("still") - run_before);
            assert!(own >= Duration::from_secs(10) && own < Duration::from_millis(10_001), "{own:?}");
            assert!(run >= Duration::from_secs(20) && run < Duration::from_millis(20_002), "{run:?}");
        });
        fiber.join().expect("it did not panic");
        assert!(clock::now() - begin < Duration::from_millis(20_003));
    });
}

#[test]
fn the_run_is_the_same_again() {
    let run = |seed| {
        in_a_run(seed, || {
            let host = Host::boot(Skew { offset: Duration::ZERO, drift: 300 });
            for n in 0..20 {
                drop(on(host, move || sleep(Duration::from_millis(n))));
            }
            sleep(Duration::from_millis(10)).expect("nobody cancels us");
            host.crash();
        })
        .1
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7).hash(), run(8).hash());
}
