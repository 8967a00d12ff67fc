//! What a lock costs: uncontended, and contended by a fiber that holds it over a yield.
//!
//! ```text
//! cargo bench --bench mutex
//! ```

mod peers;

use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use fibra::sync::Mutex;
use peers::{Comparison, in_fibra, in_tokio_current, now, time};

fn mutex(c: &mut Criterion) {
    let mut comparison = Comparison::new(c, "mutex, lock and unlock", 1);
    comparison.peer("fibra", |rounds| {
        in_fibra(|| {
            let mutex = Mutex::new(0u64);
            time(|| (0..rounds).for_each(|_| *std::hint::black_box(&mutex).lock() += 1))
        })
    });
    comparison.peer("tokio current_thread", |rounds| {
        in_tokio_current(async {
            let mutex = tokio::sync::Mutex::new(0u64);
            let start = now();
            for _ in 0..rounds {
                *std::hint::black_box(&mutex).lock().await += 1;
            }
            start.elapsed()
        })
    });
    comparison.finish();

    let mut comparison = Comparison::new(c, "mutex, held over a yield by two in turns", 2);
    comparison.peer("fibra", |rounds| {
        in_fibra(|| {
            let mutex = Arc::new(Mutex::new(0u64));
            let contend = move |mutex: &Mutex<u64>| {
                for _ in 0..rounds {
                    let mut count = mutex.lock();
                    fibra::yield_now();
                    *count += 1;
                }
            };
            let copy = mutex.clone();
            let other = fibra::spawn(move || contend(&copy));
            let elapsed = time(|| {
                contend(&mutex);
                other.join().expect("no panic");
            });
            assert_eq!(*mutex.lock(), 2 * rounds);
            elapsed
        })
    });
    comparison.peer("tokio current_thread", |rounds| {
        in_tokio_current(async move {
            let mutex = Arc::new(tokio::sync::Mutex::new(0u64));
            let contend = |mutex: Arc<tokio::sync::Mutex<u64>>| async move {
                for _ in 0..rounds {
                    let mut count = mutex.lock().await;
                    tokio::task::yield_now().await;
                    *count += 1;
                }
            };
            let start = now();
            let tasks = [tokio::spawn(contend(mutex.clone())), tokio::spawn(contend(mutex))];
            for task in tasks {
                task.await.expect("no panic");
            }
            start.elapsed()
        })
    });
    comparison.finish();
}

criterion_group!(benches, mutex);
criterion_main!(benches);
