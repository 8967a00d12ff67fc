//! What a switch costs: `yield_now` among 1,000 fibers, beside a bare corosensei resume and suspend.
//!
//! ```text
//! cargo bench --bench switch
//! ```
//!
//! Both go round the same number of stacks, so that both meet the same cache misses. Read the ratio within one run.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fibra_fiber::StackPool;

const FIBERS: u64 = 1000;

fn switch(c: &mut Criterion) {
    let mut group = c.benchmark_group("yield among 1,000");
    group.throughput(Throughput::Elements(FIBERS));
    group.bench_function("corosensei", |b| b.iter_custom(corosensei_rounds));
    group.bench_function("fibra", |b| b.iter_custom(fibra_rounds));
    group.finish();
}

/// `rounds` times one resume and one suspend of each of the coroutines.
fn corosensei_rounds(rounds: u64) -> Duration {
    let mut pool = StackPool::new();
    let mut coroutines: Vec<_> = (0..FIBERS)
        .map(|_| {
            let stack = pool.take(64 << 10).expect("a stack");
            corosensei::Coroutine::with_stack(stack, move |yielder: &corosensei::Yielder<(), ()>, ()| {
                for _ in 0..rounds {
                    yielder.suspend(());
                }
            })
        })
        .collect();
    let start = now();
    for _ in 0..rounds {
        for coroutine in &mut coroutines {
            black_box(coroutine.resume(()));
        }
    }
    let elapsed = start.elapsed();
    for coroutine in &mut coroutines {
        let _ = coroutine.resume(());
    }
    elapsed
}

/// `rounds` times one `yield_now` of each of the fibers.
fn fibra_rounds(rounds: u64) -> Duration {
    let run = || {
        let fibers: Vec<_> = (0..FIBERS)
            .map(|_| {
                fibra::Builder::new().stack_size(64 << 10).spawn_local(move || {
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
        fibers.into_iter().map(|fiber| fiber.expect("a runtime").join().expect("no panic")).max().unwrap_or_default()
    };
    fibra::runtime::builder().workers(1).run(run).expect("a runtime")
}

fn now() -> Instant {
    fibra::clock::now()
}

criterion_group!(benches, switch);
criterion_main!(benches);
