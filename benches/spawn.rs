//! What a fiber costs from spawn to join: one at a time, 900 at once, 10,000 at once.
//!
//! ```text
//! cargo bench --bench spawn
//! ```
//!
//! Each fiber returns a number, which its joiner adds up. One round goes before the measured ones, so that everyone's stacks
//! are mapped and warm; a program that has run for a while is in that state.

mod bare;
mod peers;

use std::hint::black_box;
use std::time::Duration;

use bare::BareStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use criterion::{Criterion, criterion_group, criterion_main};
use fibra_fiber::StackPool;
use peers::{Comparison, STACK, in_fibra, in_may, in_threads, in_tokio_current, in_tokio_multi, time};

fn spawn(c: &mut Criterion) {
    compare(c, "spawn and join one", 1);
    compare(c, "spawn 900, join all", 900);
    compare(c, "spawn 10,000, join all", 10_000);
}

fn compare(c: &mut Criterion, title: &str, fibers: u64) {
    let mut comparison = Comparison::new(c, title, fibers);
    comparison.peer("corosensei", |rounds| corosensei_rounds(rounds, fibers));
    comparison.peer("fibra", |rounds| fibra_rounds(rounds, fibers));
    comparison.peer("tokio current_thread", |rounds| in_tokio_current(tokio_rounds(rounds, fibers)));
    comparison.peer("tokio multi_thread, 1 worker", |rounds| in_tokio_multi(tokio_rounds(rounds, fibers)));
    comparison.peer("may", |rounds| may_rounds(rounds, fibers));
    // More threads than that at once are more than many a container allows.
    if fibers <= 900 {
        comparison.peer("threads, same CPU", |rounds| thread_rounds(rounds, fibers));
    }
    comparison.finish();
}

/// A context each, on a stack that the one before has used: what is left if there is no scheduler.
fn corosensei_rounds(rounds: u64, fibers: u64) -> Duration {
    let mut pool = StackPool::new();
    let mut coroutines = Vec::with_capacity(fibers as usize);
    let mut round = || {
        coroutines.extend((0..fibers).map(|n| {
            let stack = BareStack(pool.take(STACK).expect("a stack"));
            Coroutine::with_stack(stack, move |_: &Yielder<(), ()>, ()| black_box(n))
        }));
        let mut sum = 0;
        for mut coroutine in coroutines.drain(..) {
            if let CoroutineResult::Return(n) = coroutine.resume(()) {
                sum += n;
            }
            pool.give(coroutine.into_stack().0);
        }
        black_box(sum);
    };
    round();
    time(|| (0..rounds).for_each(|_| round()))
}

fn fibra_rounds(rounds: u64, fibers: u64) -> Duration {
    in_fibra(|| {
        let mut handles = Vec::with_capacity(fibers as usize);
        let mut round = || {
            handles.extend((0..fibers).map(|n| fibra::spawn(move || black_box(n))));
            let sum: u64 = handles.drain(..).map(|handle| handle.join().expect("no panic")).sum();
            black_box(sum);
        };
        round();
        time(|| (0..rounds).for_each(|_| round()))
    })
}

async fn tokio_rounds(rounds: u64, fibers: u64) -> Duration {
    let mut handles = Vec::with_capacity(fibers as usize);
    let mut round = async || {
        handles.extend((0..fibers).map(|n| tokio::spawn(async move { black_box(n) })));
        let mut sum = 0;
        for handle in handles.drain(..) {
            sum += handle.await.expect("no panic");
        }
        black_box(sum);
    };
    round().await;
    let start = peers::now();
    for _ in 0..rounds {
        round().await;
    }
    start.elapsed()
}

fn may_rounds(rounds: u64, fibers: u64) -> Duration {
    in_may(move || {
        let mut handles = Vec::with_capacity(fibers as usize);
        let mut round = || {
            handles.extend((0..fibers).map(|n| may::go!(move || black_box(n))));
            let sum: u64 = handles.drain(..).map(|handle| handle.join().expect("no panic")).sum();
            black_box(sum);
        };
        round();
        time(|| (0..rounds).for_each(|_| round()))
    })
}

fn thread_rounds(rounds: u64, fibers: u64) -> Duration {
    in_threads(move || {
        let mut handles = Vec::with_capacity(fibers as usize);
        let mut round = || {
            handles.extend((0..fibers).map(|n| std::thread::spawn(move || black_box(n))));
            let sum: u64 = handles.drain(..).map(|handle| handle.join().expect("no panic")).sum();
            black_box(sum);
        };
        round();
        time(|| (0..rounds).for_each(|_| round()))
    })
}

criterion_group!(benches, spawn);
criterion_main!(benches);
