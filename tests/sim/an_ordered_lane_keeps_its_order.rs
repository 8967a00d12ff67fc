//! A client's ordered calls run one at a time, in the order in which it made them, whatever becomes of their connections; and those that wait for
//! their turn when it hangs up keep nothing alive.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fibra::rpc::middleware::{Denial, Next};
use fibra::rpc::{CallError, Channel, Limits, Request, Server, client};
use fibra::sim::{Faults, Latency, Sim};
use parking_lot::Mutex;

use crate::support::seeds;

const MILLISECOND: Duration = Duration::from_millis(1);

#[fibra::service]
trait Diary {
    /// Takes so long, and answers with so many bytes.
    #[rpc(ordered)]
    fn write(&self, entry: u64, millis: u64, bytes: usize) -> Vec<u8>;

    /// Of no lane: takes so long.
    fn rest(&self, millis: u64);
}

/// What was written, and whether something is being written.
#[derive(Clone, Default)]
struct Pages(Arc<Mutex<(Vec<u64>, bool)>>);

impl Diary for Pages {
    fn write(&self, entry: u64, millis: u64, bytes: usize) -> Vec<u8> {
        let mut pages = self.0.lock();
        pages.0.push(entry);
        assert!(!std::mem::replace(&mut pages.1, true), "two at a time");
        drop(pages);
        let _ = fibra::sleep(MILLISECOND * millis as u32);
        self.0.lock().1 = false;
        vec![7; bytes]
    }

    fn rest(&self, millis: u64) {
        let _ = fibra::sleep(MILLISECOND * millis as u32);
    }
}

#[test]
fn under_a_swarm_of_faults() {
    let until = Duration::from_secs(2);
    for seed in seeds(60) {
        let mut faults = Faults::swarm(seed, until);
        // A server that has crashed knows nothing of the order.
        faults.faults.retain(|fault| fault.what != fibra::sim::Trouble::Crash);
        let mut sim = Sim::builder().seed(seed).faults(faults).build();
        let pages = Pages::default();
        sim.host("diary", {
            let pages = pages.clone();
            move || {
                let server = loop {
                    match Server::builder().service(DiaryServer::new(pages.clone())).bind("0.0.0.0:7000") {
                        Ok(server) => break server,
                        Err(_) => fibra::sleep(10 * MILLISECOND)?,
                    }
                };
                server.wait()?;
                Ok(())
            }
        });
        sim.client("alice", || {
            let diary = loop {
                match DiaryClient::connect("diary:7000") {
                    Ok(diary) => break diary,
                    Err(_) => fibra::sleep(10 * MILLISECOND)?,
                }
            };
            let calls: Vec<_> = (0..40).map(|entry| diary.start().write(entry, entry % 7, 10)).collect();
            for call in calls {
                // Whatever comes of it.
                let _ = call.join();
            }
            Ok(())
        });
        sim.run().unwrap_or_else(|failure| panic!("{failure}"));
        let written = &pages.0.lock().0;
        assert!(written.is_sorted_by(|before, after| before < after), "seed {seed}: {written:?}");
    }
}

/// There is one place among the calls under way, for which a call that was refused waits as another is made.
#[test]
fn also_those_that_are_made_again() {
    for seed in seeds(60) {
        let mut sim = Sim::builder().seed(seed).build();
        let pages = Pages::default();
        sim.host("diary", {
            let pages = pages.clone();
            move || {
                let calls = AtomicU64::new(0);
                let refusing = move |request: &mut Request, next: Next<'_>| {
                    if calls.fetch_add(1, Ordering::Relaxed) == 0 {
                        return Denial::overloaded("not now", None).into();
                    }
                    next.run(request)
                };
                let builder = Server::builder().service(DiaryServer::new(pages.clone())).middleware(refusing);
                builder.bind("0.0.0.0:7000")?.wait()?;
                Ok(())
            }
        });
        sim.client("alice", || {
            fibra::sleep(MILLISECOND)?;
            let mut limits = Limits::default();
            limits.in_flight = 1;
            let diary = DiaryClient::new(Channel::connect_with("diary:7000", limits)?);
            let diary = diary.retry(client::RetryPolicy::default().backoff(MILLISECOND, MILLISECOND));
            let mut first = diary.start().write(1, 0, 0);
            while diary.channel().stats().in_flight > 0 {
                fibra::sleep(MILLISECOND)?;
            }
            assert!(first.try_join().is_none(), "it is made again");
            diary.start().rest(100).join()?;
            diary.start().write(2, 0, 0).join()?;
            match first.join() {
                Ok(_) => {}
                Err(error) => assert!(matches!(error, CallError::Overloaded { .. }), "{error}"),
            }
            assert_eq!(diary.channel().stats().in_flight, 0);
            Ok(())
        });
        sim.run().unwrap_or_else(|failure| panic!("{failure}"));
        let written = &pages.0.lock().0;
        assert!(written.is_sorted(), "seed {seed}: {written:?}");
    }
}

#[test]
fn but_keeps_no_connection_whose_client_has_gone() {
    for seed in seeds(100) {
        // Now and then so slow that the client gives a connection up, and connects again.
        let latency = Latency::between(MILLISECOND / 20, 100 * MILLISECOND).with_tail(0.1, 2_000 * MILLISECOND);
        let mut sim = Sim::builder().seed(seed).latency(latency).build();
        sim.client("diary", || {
            let mut limits = Limits::default();
            limits.buffered_bytes = 200;
            let service = DiaryServer::new(Pages::default());
            let server = Server::builder().service(service).limits(limits).bind("0.0.0.0:7000")?;
            fibra::sleep(Duration::from_secs(150))?;
            assert_eq!(server.connections(), 0);
            Ok(())
        });
        sim.client("alice", move || {
            fibra::sleep(MILLISECOND)?;
            let mut keepalive = client::Keepalive::default();
            (keepalive.after, keepalive.timeout) = (20 * MILLISECOND, 100 * MILLISECOND);
            let connect = || Channel::builder().keepalive(Some(keepalive)).connect("diary:7000");
            let channel = connect().or_else(|_| connect())?;
            let diary = DiaryClient::new(channel);
            fibra::scope(|scope| {
                for fiber in 0..3 {
                    let diary = &diary;
                    scope.spawn(move || {
                        let diary = diary.within(MILLISECOND * (500 + (seed * 31 + fiber * 77) as u32 % 5_000));
                        let calls: Vec<_> = (0..4).map(|entry| diary.start().write(entry, 500, 3_000)).collect();
                        drop(calls.into_iter().next().map(|call| call.join()));
                    });
                }
            });
            Ok(())
        });
        sim.run().unwrap_or_else(|failure| panic!("{failure}"));
    }
}
