//! What a switch costs: `yield_now` among 1,000, beside a bare corosensei resume and suspend and three other runtimes.
//!
//! ```text
//! cargo bench --bench switch
//! ```
//!
//! All go round the same number of stacks (or tasks) on one thread, so that all meet the same cache misses. Threads are the
//! exception: two on one CPU, since a thousand would measure the same at great length.

mod bare;
mod peers;

use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use bare::BareStack;
use criterion::{Criterion, criterion_group, criterion_main};
use fibra_fiber::StackPool;
use peers::{Comparison, STACK, in_fibra, in_may, in_threads, in_tokio_current, in_tokio_multi, now};

const FIBERS: u64 = 1000;

fn switch(c: &mut Criterion) {
    let mut comparison = Comparison::new(c, "yield among 1,000", FIBERS);
    comparison.peer("corosensei", corosensei_rounds);
    comparison.peer("fibra", fibra_rounds);
    comparison.peer("tokio current_thread", |rounds| in_tokio_current(tokio_rounds(rounds)));
    comparison.peer("tokio multi_thread, 1 worker", |rounds| in_tokio_multi(tokio_rounds(rounds)));
    comparison.peer("may", may_rounds);
    comparison.peer("2 threads, same CPU", thread_rounds);
    comparison.finish();
}

/// `rounds` times one resume and one suspend of each of the coroutines.
fn corosensei_rounds(rounds: u64) -> Duration {
    let mut pool = StackPool::new();
    let mut coroutines: Vec<_> = (0..FIBERS)
        .map(|_| {
            let stack = BareStack(pool.take(STACK).expect("a stack"));
            corosensei::Coroutine::with_stack(stack, move |yielder: &corosensei::Yielder<(), ()>, ()| {
                // The first resume starts it; what is measured begins with the second.
                for _ in 0..=rounds {
                    yielder.suspend(());
                }
            })
        })
        .collect();
    let mut round = || {
        for coroutine in &mut coroutines {
            black_box(coroutine.resume(()));
        }
    };
    round();
    let start = now();
    for _ in 0..rounds {
        round();
    }
    let elapsed = start.elapsed();
    round();
    elapsed
}

/// `rounds` times one `yield_now` of each of the fibers.
fn fibra_rounds(rounds: u64) -> Duration {
    in_fibra(|| {
        let fibers: Vec<_> = (0..FIBERS)
            .map(|_| {
                fibra::spawn_local(move || {
                    // The first turn starts the fiber; what is measured begins with the second.
                    fibra::yield_now();
                    let start = now();
                    for _ in 0..rounds {
                        fibra::yield_now();
                    }
                    start.elapsed()
                })
            })
            .collect();
        // They run in lockstep, so the first one's time is everyone's.
        fibers.into_iter().map(|fiber| fiber.join().expect("no panic")).max().unwrap_or_default()
    })
}

async fn tokio_rounds(rounds: u64) -> Duration {
    let tasks: Vec<_> = (0..FIBERS)
        .map(|_| {
            tokio::spawn(async move {
                tokio::task::yield_now().await;
                let start = now();
                for _ in 0..rounds {
                    tokio::task::yield_now().await;
                }
                start.elapsed()
            })
        })
        .collect();
    let mut longest = Duration::ZERO;
    for task in tasks {
        longest = longest.max(task.await.expect("no panic"));
    }
    longest
}

fn may_rounds(rounds: u64) -> Duration {
    in_may(move || {
        let coroutines: Vec<_> = (0..FIBERS)
            .map(|_| {
                may::go!(move || {
                    may::coroutine::yield_now();
                    let start = now();
                    for _ in 0..rounds {
                        may::coroutine::yield_now();
                    }
                    start.elapsed()
                })
            })
            .collect();
        coroutines.into_iter().map(|coroutine| coroutine.join().expect("no panic")).max().unwrap_or_default()
    })
}

/// Two threads on one CPU, with as many yields between them as the fibers make.
fn thread_rounds(rounds: u64) -> Duration {
    in_threads(move || {
        let together = Arc::new(Barrier::new(2));
        let threads = [(); 2].map(|()| {
            let together = together.clone();
            std::thread::spawn(move || {
                together.wait();
                let start = now();
                for _ in 0..rounds * FIBERS / 2 {
                    std::thread::yield_now();
                }
                start.elapsed()
            })
        });
        threads.into_iter().map(|thread| thread.join().expect("no panic")).max().unwrap_or_default()
    })
}

criterion_group!(benches, switch);
criterion_main!(benches);
