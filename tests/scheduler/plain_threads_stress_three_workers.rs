use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::runtime::Runtime;
use fibra_scheduler::{JoinHandle, block_on, clock, driver, runtime, sleep, spawn, yield_now};

/// How long the threads go on.
const STRESS: Duration = Duration::from_secs(1);

const THREADS: u64 = 4;

/// A fiber that ends once it was given `tokens`, or cancelled; how many it has seen taken. A lost one would stop it for ever.
fn count_tokens(given: &AtomicU64, tokens: u64) -> Result<u64, Interrupted> {
    while given.load(Ordering::Acquire) < tokens {
        park::wait(Reason::Parked, None)?;
    }
    Ok(tokens)
}

/// What one fiber is put through; `dice` decides what, `alive` counts what it holds.
fn one_fiber(runtime: &Runtime, dice: u64, alive: &Arc<()>) {
    let cargo = alive.clone();
    match dice % 6 {
        0 => {
            // Woken from outside, token by token, while it parks or is about to.
            let given = Arc::new(AtomicU64::new(0));
            let (counter, tokens) = (given.clone(), 1 + dice / 6 % 20);
            let fiber = runtime.spawn(move || (count_tokens(&counter, tokens), cargo).0).expect("room");
            let unparker = fiber.unparker();
            for _ in 0..tokens {
                given.fetch_add(1, Ordering::Release);
                unparker.unpark();
            }
            assert_eq!(fiber.join().expect("no panic"), Ok(tokens));
        }
        1 => {
            let fiber = runtime.spawn(move || (sleep(Duration::from_secs(3600)), cargo).0).expect("room");
            if dice & 64 != 0 {
                thread::yield_now();
            }
            fiber.cancel();
            assert_eq!(fiber.join().expect("no panic"), Err(Interrupted::Cancelled));
        }
        2 => {
            // Spawns on its own, so that closures are stolen; joined as futures.
            let fiber = runtime
                .spawn(move || {
                    let children: Vec<JoinHandle<u64>> = (0..8)
                        .map(|n| {
                            let cargo = cargo.clone();
                            spawn(move || {
                                yield_now();
                                drop(cargo);
                                n
                            })
                        })
                        .collect();
                    children
                        .into_iter()
                        .map(|child| block_on(child).expect("nobody cancels").expect("no panic"))
                        .sum::<u64>()
                })
                .expect("room");
            assert_eq!(fiber.join().expect("no panic"), 28);
        }
        3 => {
            let fiber = runtime
                .spawn(move || {
                    let _cargo = cargo;
                    yield_now();
                    std::panic::resume_unwind(Box::new(dice));
                })
                .expect("room");
            let payload: Box<dyn std::any::Any + Send> = fiber.join().map(|()| "no panic").expect_err("it panicked");
            assert_eq!(payload.downcast_ref(), Some(&dice));
        }
        4 => {
            // The wake and the timer race.
            let nap = Duration::from_micros(dice / 6 % 200);
            let fiber = runtime
                .spawn(move || {
                    let _cargo = cargo;
                    let until = clock::now() + nap;
                    while park::park_until(Reason::Parked, Some(until)) != park::Wakeup::TimedOut {}
                    clock::now() >= until
                })
                .expect("room");
            (0..dice / 64 % 8).for_each(|_| fiber.unparker().unpark());
            assert!(fiber.join().expect("no panic"), "its deadline came early");
        }
        _ => {
            // Detached while it runs; and woken by a handle that outlives it.
            let fiber = runtime.spawn(move || (sleep(Duration::from_micros(50)), cargo).0).expect("room");
            let unparker = fiber.unparker();
            drop(fiber);
            unparker.unpark();
        }
    }
}

#[test]
fn plain_threads_stress_three_workers() {
    let runtime = Arc::new(runtime::Builder::new(driver::idle).workers(3).start().expect("a runtime"));
    let alive = Arc::new(());
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let (runtime, alive, stop) = (runtime.clone(), alive.clone(), stop.clone());
            thread::spawn(move || {
                let mut dice = number;
                let mut rounds = 0;
                while !stop.load(Ordering::Relaxed) {
                    // Knuth's MMIX generator; its upper bits are the good ones.
                    dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    one_fiber(&runtime, dice >> 33, &alive);
                    rounds += 1;
                }
                rounds
            })
        })
        .collect();
    thread::park_timeout(STRESS);
    stop.store(true, Ordering::Relaxed);
    let rounds: u64 = threads.into_iter().map(|thread| thread.join().expect("every promise was kept")).sum();
    assert!(rounds > 100, "{rounds} rounds in {STRESS:?} are too few to mean something");
    Arc::into_inner(runtime).expect("the threads have ended").shutdown();
    assert_eq!(Arc::strong_count(&alive), 1, "something that a fiber held was not dropped");
}
