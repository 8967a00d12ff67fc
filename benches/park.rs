//! What waiting and waking cost: two fibers on one worker that take turns, each waking the other and then waiting for it.
//!
//! ```text
//! cargo bench --bench park
//! ```
//!
//! An operation is one wake and one switch: a turn. Everyone waits in a loop, on a flag that says whose turn it is, since a
//! park may return without reason. Tokio's `Notify` keeps a permit and needs no flag.

mod peers;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use fibra::park::{self, Reason};
use peers::{Comparison, in_fibra, in_may, in_threads, in_tokio_current, in_tokio_multi, now, time};
use tokio::sync::Notify;

fn park(c: &mut Criterion) {
    let mut comparison = Comparison::new(c, "park and unpark, two in turns", 2);
    comparison.peer("fibra", fibra_rounds);
    comparison.peer("tokio current_thread", |rounds| in_tokio_current(tokio_rounds(rounds)));
    comparison.peer("tokio multi_thread, 1 worker", |rounds| in_tokio_multi(tokio_rounds(rounds)));
    comparison.peer("may", may_rounds);
    comparison.peer("2 threads, same CPU", thread_rounds);
    comparison.finish();
}

/// Whose turn it is: `false` the first one's, `true` the second one's.
#[derive(Clone, Default)]
struct Turn(Arc<AtomicBool>);

impl Turn {
    /// Waits by `park` until it is the turn of `mine`; does that and gives the turn to the other by `unpark`; `rounds` times.
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

fn fibra_rounds(rounds: u64) -> Duration {
    in_fibra(|| {
        let turn = Turn::default();
        let (first, turn_of_second) = (park::current(), turn.clone());
        let second = fibra::spawn(move || {
            turn_of_second.take(true, rounds + 1, || park::park(Reason::Parked), || first.unpark());
        });
        let unparker = second.unparker();
        let play = |rounds| turn.take(false, rounds, || park::park(Reason::Parked), || unparker.unpark());
        play(1);
        let elapsed = time(|| play(rounds));
        second.join().expect("no panic");
        elapsed
    })
}

async fn tokio_rounds(rounds: u64) -> Duration {
    let (first, second) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (wake_first, woken_second) = (first.clone(), second.clone());
    // Both are tasks: what `block_on` runs itself is woken in another way.
    let other = tokio::spawn(async move {
        for _ in 0..=rounds {
            woken_second.notified().await;
            wake_first.notify_one();
        }
    });
    let one = tokio::spawn(async move {
        second.notify_one();
        first.notified().await;
        let start = now();
        for _ in 0..rounds {
            second.notify_one();
            first.notified().await;
        }
        start.elapsed()
    });
    other.await.expect("no panic");
    one.await.expect("no panic")
}

fn may_rounds(rounds: u64) -> Duration {
    in_may(move || {
        let turn = Turn::default();
        let (first, turn_of_second) = (may::coroutine::current(), turn.clone());
        let second = may::go!(move || {
            turn_of_second.take(true, rounds + 1, may::coroutine::park, || first.unpark());
        });
        let play = |rounds| turn.take(false, rounds, may::coroutine::park, || second.coroutine().unpark());
        play(1);
        let elapsed = time(|| play(rounds));
        second.join().expect("no panic");
        elapsed
    })
}

fn thread_rounds(rounds: u64) -> Duration {
    in_threads(move || {
        let turn = Turn::default();
        let (first, turn_of_second) = (std::thread::current(), turn.clone());
        let second = std::thread::spawn(move || {
            turn_of_second.take(true, rounds + 1, std::thread::park, || first.unpark());
        });
        let play = |rounds| turn.take(false, rounds, std::thread::park, || second.thread().unpark());
        play(1);
        let elapsed = time(|| play(rounds));
        second.join().expect("no panic");
        elapsed
    })
}

criterion_group!(benches, park);
criterion_main!(benches);
