//! What a deadline costs: armed and cancelled beside a million others, and as part of a wait that is woken in time.
//!
//! ```text
//! cargo bench --bench timer
//! ```
//!
//! Nearly all timers of a server are cancelled: the reply comes, the bytes arrive. The million are sleeping fibers with a stack
//! each, so this takes some 5 GB of memory (tokio's tasks: 0.6 GB). may and threads cannot have as many, and are in the second
//! comparison only.

mod peers;

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use fibra::park::{self, Reason};
use peers::{Comparison, in_fibra, in_may, in_threads, in_tokio_current, in_tokio_multi, now, time};
use tokio::sync::Notify;

/// How many other timers are armed.
const SLEEPERS: u64 = 1_000_000;

/// No timer fires while measured.
const FAR: Duration = Duration::from_secs(3600);

fn timer(c: &mut Criterion) {
    let mut comparison = Comparison::new(c, "arm and cancel, beside 1,000,000 armed timers", 1);
    beside_sleeping_fibers(|| comparison.peer("fibra", fibra_arm_and_cancel));
    let current = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    current.block_on(sleeping_tasks());
    comparison.peer("tokio current_thread", |rounds| current.block_on(tokio_arm_and_cancel(rounds)));
    drop(current);
    let multi = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("a runtime");
    multi.block_on(multi.spawn(sleeping_tasks())).expect("no panic");
    comparison.peer("tokio multi_thread, 1 worker", |rounds| {
        multi.block_on(multi.spawn(tokio_arm_and_cancel(rounds))).expect("no panic")
    });
    drop(multi);
    comparison.finish();

    let mut comparison = Comparison::new(c, "park with a deadline and unpark, two in turns", 2);
    comparison.peer("fibra", fibra_turns);
    comparison.peer("tokio current_thread", |rounds| in_tokio_current(tokio_turns(rounds)));
    comparison.peer("tokio multi_thread, 1 worker", |rounds| in_tokio_multi(tokio_turns(rounds)));
    comparison.peer("may", may_turns);
    comparison.peer("2 threads, same CPU", thread_turns);
    comparison.finish();
}

/// When the `n`th of the sleepers would wake: they are spread over an hour.
fn wakes_at(start: Instant, n: u64) -> Instant {
    start + FAR + Duration::from_micros(n * 3600)
}

/// Runs `f` on a fiber while the others sleep. Criterion runs there too, hence a large stack for it and small ones for them.
fn beside_sleeping_fibers(f: impl FnOnce()) {
    let sleepers_and_f = || {
        let start = now();
        for n in 0..SLEEPERS {
            let sleep = move || fibra::sleep(wakes_at(start, n).duration_since(now()));
            // Its handle is dropped: the end of the runtime cancels it.
            drop(fibra::Builder::new().stack_size(16 << 10).spawn_local(sleep).expect("a runtime"));
            fibra::yield_now();
        }
        f();
    };
    let runtime = fibra::runtime::builder().workers(1).stack_size(2 << 20).grace(FAR);
    runtime.run(sleepers_and_f).expect("a runtime");
}

async fn sleeping_tasks() {
    let start = now();
    for n in 0..SLEEPERS {
        tokio::spawn(tokio::time::sleep_until(wakes_at(start, n).into()));
        tokio::task::yield_now().await;
    }
}

/// A fiber that has its token parks with a deadline: the timer is armed, the token noticed, the timer disarmed.
fn fibra_arm_and_cancel(rounds: u64) -> Duration {
    let (this, deadline) = (park::current(), now() + FAR);
    time(|| {
        for _ in 0..rounds {
            this.unpark();
            black_box(park::park_until(Reason::Sleep, Some(deadline)));
        }
    })
}

/// A sleep is polled once, which arms it, and dropped.
async fn tokio_arm_and_cancel(rounds: u64) -> Duration {
    // After 128 polls without a yield, tokio would let a sleep pend without arming it.
    const BATCH: u64 = 64;
    let deadline = (now() + FAR).into();
    let arm_and_cancel = || {
        let sleep = pin!(tokio::time::sleep_until(deadline));
        assert!(black_box(sleep.poll(&mut Context::from_waker(Waker::noop()))).is_pending());
    };
    let start = now();
    for n in 0..rounds {
        arm_and_cancel();
        if n % BATCH == 0 {
            tokio::task::yield_now().await;
        }
    }
    start.elapsed()
}

/// As in `park.rs`, but nobody waits longer than for an hour.
#[derive(Clone, Default)]
struct Turn(Arc<AtomicBool>);

impl Turn {
    fn take(&self, mine: bool, rounds: u64, park: impl Fn(), unpark: impl Fn()) {
        for _ in 0..rounds {
            while self.0.load(Ordering::Acquire) != mine {
                park();
            }
            self.0.store(!mine, Ordering::Release);
            unpark();
        }
    }
}

fn fibra_turns(rounds: u64) -> Duration {
    in_fibra(|| {
        let turn = Turn::default();
        let (first, turn_of_second) = (park::current(), turn.clone());
        let park = || {
            park::park_until(Reason::Parked, Some(now() + FAR));
        };
        let second = fibra::spawn(move || turn_of_second.take(true, rounds + 1, park, || first.unpark()));
        let unparker = second.unparker();
        let play = |rounds| turn.take(false, rounds, park, || unparker.unpark());
        play(1);
        let elapsed = time(|| play(rounds));
        second.join().expect("no panic");
        elapsed
    })
}

async fn tokio_turns(rounds: u64) -> Duration {
    let (first, second) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (wake_first, woken_second) = (first.clone(), second.clone());
    let other = tokio::spawn(async move {
        for _ in 0..=rounds {
            tokio::time::timeout(FAR, woken_second.notified()).await.expect("in time");
            wake_first.notify_one();
        }
    });
    let one = tokio::spawn(async move {
        let turn = async || {
            second.notify_one();
            tokio::time::timeout(FAR, first.notified()).await.expect("in time");
        };
        turn().await;
        let start = now();
        for _ in 0..rounds {
            turn().await;
        }
        start.elapsed()
    });
    other.await.expect("no panic");
    one.await.expect("no panic")
}

fn may_turns(rounds: u64) -> Duration {
    in_may(move || {
        let turn = Turn::default();
        let (first, turn_of_second) = (may::coroutine::current(), turn.clone());
        let park = || may::coroutine::park_timeout(FAR);
        let second = may::go!(move || turn_of_second.take(true, rounds + 1, park, || first.unpark()));
        let play = |rounds| turn.take(false, rounds, park, || second.coroutine().unpark());
        play(1);
        let elapsed = time(|| play(rounds));
        second.join().expect("no panic");
        elapsed
    })
}

fn thread_turns(rounds: u64) -> Duration {
    in_threads(move || {
        let turn = Turn::default();
        let (first, turn_of_second) = (std::thread::current(), turn.clone());
        let park = || std::thread::park_timeout(FAR);
        let second = std::thread::spawn(move || turn_of_second.take(true, rounds + 1, park, || first.unpark()));
        let play = |rounds| turn.take(false, rounds, park, || second.thread().unpark());
        play(1);
        let elapsed = time(|| play(rounds));
        second.join().expect("no panic");
        elapsed
    })
}

criterion_group!(benches, timer);
criterion_main!(benches);
