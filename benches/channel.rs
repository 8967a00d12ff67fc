//! What a message costs: two fibers on one worker that send each other messages in turns.
//!
//! ```text
//! cargo bench --bench channel
//! ```
//!
//! An operation is one message: a send, which finds its receiver waiting, and the switch to it.

mod peers;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use fibra::sync::channel;
use peers::{Comparison, in_fibra, in_may, in_tokio_current, in_tokio_multi, now, time};

fn ping_pong(c: &mut Criterion) {
    let mut comparison = Comparison::new(c, "channel ping-pong, two in turns", 2);
    comparison.peer("fibra", |rounds| fibra_ping_pong(rounds, channel::bounded(1), channel::bounded(1)));
    comparison.peer("fibra unbounded", |rounds| fibra_ping_pong(rounds, channel::unbounded(), channel::unbounded()));
    comparison.peer("fibra rendezvous", |rounds| fibra_ping_pong(rounds, channel::bounded(0), channel::bounded(0)));
    comparison.peer("tokio current_thread", |rounds| in_tokio_current(tokio_ping_pong(rounds)));
    comparison.peer("tokio multi_thread, 1 worker", |rounds| in_tokio_multi(tokio_ping_pong(rounds)));
    comparison.peer("may", may_ping_pong);
    comparison.finish();
}

type Channel = (channel::Sender<u64>, channel::Receiver<u64>);

fn fibra_ping_pong(rounds: u64, there: Channel, back: Channel) -> Duration {
    in_fibra(|| {
        let echo = fibra::spawn(move || {
            while let Ok(n) = there.1.recv() {
                back.0.send(n).expect("received");
            }
        });
        let play = |rounds| {
            for n in 0..rounds {
                there.0.send(n).expect("echoed");
                back.1.recv().expect("echoed");
            }
        };
        play(1);
        let elapsed = time(|| play(rounds));
        drop(there.0);
        echo.join().expect("no panic");
        elapsed
    })
}

async fn tokio_ping_pong(rounds: u64) -> Duration {
    let (there, mut received) = tokio::sync::mpsc::channel(1);
    let (back, mut returned) = tokio::sync::mpsc::channel(1);
    let echo = tokio::spawn(async move {
        while let Some(n) = received.recv().await {
            back.send(n).await.expect("received");
        }
    });
    let ping = tokio::spawn(async move {
        there.send(0).await.expect("echoed");
        returned.recv().await.expect("echoed");
        let start = now();
        for n in 0..rounds {
            there.send(n).await.expect("echoed");
            returned.recv().await.expect("echoed");
        }
        start.elapsed()
    });
    let elapsed = ping.await.expect("no panic");
    echo.await.expect("no panic");
    elapsed
}

fn may_ping_pong(rounds: u64) -> Duration {
    in_may(move || {
        let (there, received) = may::sync::mpsc::channel();
        let (back, returned) = may::sync::mpsc::channel();
        let echo = may::go!(move || {
            for n in received.iter() {
                back.send(n).expect("received");
            }
        });
        let play = |rounds| {
            for n in 0..rounds {
                there.send(n).expect("echoed");
                returned.recv().expect("echoed");
            }
        };
        play(1);
        let elapsed = time(|| play(rounds));
        drop(there);
        echo.join().expect("no panic");
        elapsed
    })
}

criterion_group!(benches, ping_pong);
criterion_main!(benches);
