//! Whoever does not take its answers, or calls as fast as it can, is held up at the bounds that its server has set.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fibra::rpc::{CallError, Channel, Limits, Server};
use fibra::sim::{Latency, Sim};

use crate::support::seeds;

const MILLISECOND: Duration = Duration::from_millis(1);
const REPLY: usize = 20_000;

#[fibra::service]
trait Work {
    fn work(&self) -> Vec<u8>;
}

/// How many run, and the most that have at a time.
#[derive(Clone, Default)]
struct Busy {
    now: Arc<AtomicU64>,
    most: Arc<AtomicU64>,
    millis: u64,
}

impl Work for Busy {
    fn work(&self) -> Vec<u8> {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        let _ = fibra::sleep(MILLISECOND * self.millis as u32);
        self.now.fetch_sub(1, Ordering::Relaxed);
        vec![7; REPLY]
    }
}

#[test]
fn a_session_has_no_more_calls_than_its_window() {
    for seed in seeds(30) {
        let busy = Busy { millis: 5, ..Busy::default() };
        let window = 1 + seed as usize % 7;
        let mut sim = Sim::builder().seed(seed).build();
        let network = sim.network();
        sim.host("work", {
            let busy = busy.clone();
            move || {
                let mut limits = Limits::default();
                limits.window = window;
                Server::builder().service(WorkServer::new(busy.clone())).limits(limits).bind("0.0.0.0:7000")?.wait()?;
                Ok(())
            }
        });
        sim.client("alice", move || {
            fibra::sleep(MILLISECOND)?;
            let work = WorkClient::connect("work:7000")?;
            fibra::scope(|scope| {
                for _ in 0..20 {
                    scope.spawn(|| (0..5).for_each(|_| drop(work.work().expect("it is answered"))));
                }
                for _ in 0..5 {
                    // What is sent again is none more.
                    fibra::sleep(7 * MILLISECOND).expect("nothing cancels");
                    network.reset("alice", "work");
                }
            });
            Ok(())
        });
        sim.run().unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(busy.most.load(Ordering::Relaxed), window as u64, "seed {seed}");
    }
}

#[test]
fn a_server_holds_no_more_than_it_may_for_who_takes_nothing() {
    const MAX: u64 = 400_000;
    let mut sim = Sim::builder().seed(7).latency(Latency::fixed(MILLISECOND)).build();
    let hosts = sim.hosts();
    for name in ["alice", "bob", "carol"] {
        sim.host(name, move || {
            fibra::sleep(MILLISECOND)?;
            let work = WorkClient::connect("work:7000")?;
            loop {
                let calls: Vec<_> = work.batch(|start| (0..50).map(|_| start.work()).collect());
                for call in calls {
                    // Whatever comes of it.
                    let _ = call.join();
                }
            }
        });
    }
    sim.client("work", move || {
        let server = Server::builder()
            .service(WorkServer::new(Busy::default()))
            .buffered_bytes_max(MAX as usize)
            .bind("0.0.0.0:7000")?;
        let mut most = 0;
        for round in 0..200 {
            if round == 10 {
                ["alice", "bob", "carol"].into_iter().for_each(|client| hosts.pause(client));
            }
            let metrics = server.metrics();
            let line = metrics.lines().find(|line| line.starts_with("fibra_rpc_buffered_bytes "));
            let held: u64 = line.and_then(|line| line.rsplit(' ').next()).ok_or("a gauge")?.parse()?;
            most = most.max(held);
            fibra::sleep(MILLISECOND)?;
        }
        // A turn of each connection may come on top: what it had read when the bound was reached.
        assert!(most > MAX / 2 && most < MAX + 3 * 512 * REPLY as u64 / 4, "{most}");
        Ok(())
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn no_more_handlers_wait_than_may() {
    let busy = Busy { millis: 100, ..Busy::default() };
    let mut sim = Sim::builder().seed(7).build();
    sim.host("work", {
        let busy = busy.clone();
        move || {
            let service = WorkServer::new(busy.clone());
            Server::builder().service(service).waiting_max(5).bind("0.0.0.0:7000")?.wait()?;
            Ok(())
        }
    });
    sim.client("alice", move || {
        fibra::sleep(MILLISECOND)?;
        let channel = Channel::builder().retry(fibra::rpc::client::RetryPolicy::never()).connect("work:7000")?;
        let work = WorkClient::new(channel);
        let calls: Vec<_> = (0..50).map(|_| work.start().work()).collect();
        let mut refused = 0;
        for call in calls {
            match call.join() {
                Ok(_) => {}
                Err(CallError::Overloaded { .. }) => refused += 1,
                Err(error) => return Err(error.into()),
            }
        }
        assert_eq!(refused, 45);
        Ok(())
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(busy.most.load(Ordering::Relaxed), 5);
}

/// The most handlers at a time, and how many of 50 calls were refused, if client and server have so many in flight.
fn in_flight(client: usize, server: usize) -> (u64, u64) {
    let busy = Busy { millis: 100, ..Busy::default() };
    let mut sim = Sim::builder().seed(7).build();
    let limits = |in_flight| {
        let mut limits = Limits::default();
        limits.in_flight = in_flight;
        limits
    };
    sim.host("work", {
        let busy = busy.clone();
        move || {
            let service = WorkServer::new(busy.clone());
            Server::builder().service(service).limits(limits(server)).bind("0.0.0.0:7000")?.wait()?;
            Ok(())
        }
    });
    let refused = Arc::new(AtomicU64::new(0));
    sim.client("alice", {
        let refused = Arc::clone(&refused);
        move || {
            fibra::sleep(MILLISECOND)?;
            let never = fibra::rpc::client::RetryPolicy::never();
            let channel = Channel::builder().retry(never).limits(limits(client)).connect("work:7000")?;
            let work = WorkClient::new(channel);
            fibra::scope(|scope| {
                for _ in 0..50 {
                    scope.spawn(|| match work.work() {
                        Ok(_) => {}
                        Err(CallError::Overloaded { .. }) => _ = refused.fetch_add(1, Ordering::Relaxed),
                        Err(error) => panic!("{error}"),
                    });
                }
            });
            Ok(())
        }
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
    (busy.most.load(Ordering::Relaxed), refused.load(Ordering::Relaxed))
}

#[test]
fn no_more_calls_are_in_flight_than_may() {
    assert_eq!(in_flight(5, 1_000), (5, 0), "a client has its calls wait");
    assert_eq!(in_flight(1_000, 5), (5, 45), "a server refuses them");
}
