//! A call ends when its time is up, not later, whatever becomes of the network; and a handler is told when its caller has gone.

use std::time::Duration;

use fibra::rpc::{Channel, Executed, Limits, Server};
use fibra::sim::{Faults, Latency, Sim};

use crate::support::{Account, connect, seeds, with_bank};

const MILLISECOND: Duration = Duration::from_millis(1);

#[test]
fn under_a_swarm_of_faults() {
    for seed in seeds(100) {
        let account = Account::default();
        let until = Duration::from_secs(3);
        let mut sim = with_bank(Sim::builder().seed(seed).faults(Faults::swarm(seed, until)), &account);
        sim.client("alice", move || {
            let bank = connect()?;
            for n in 0..20_u32 {
                let timeout = MILLISECOND * (1 + n * 37 % 200);
                let begin = fibra::clock::now();
                let result = bank.within(timeout).wait(u64::from(n * 53 % 300));
                let took = fibra::clock::now() - begin;
                // A few turns of others come before it.
                assert!(took < timeout + 5 * MILLISECOND, "{took:?} instead of {timeout:?}: {result:?}");
                if let Err(error) = result {
                    assert_ne!(error.executed(), Executed::Yes, "{error:?}");
                }
            }
            Ok(())
        });
        sim.run().unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[fibra::service]
trait Store {
    fn put(&self, bytes: Vec<u8>);
}

struct Nowhere;

impl Store for Nowhere {
    fn put(&self, _bytes: Vec<u8>) {}
}

/// Callers wait for room in their connection's output, one behind the other.
#[test]
fn while_a_server_takes_nothing() {
    let mut sim = Sim::builder().seed(7).latency(Latency::fixed(MILLISECOND)).build();
    let hosts = sim.hosts();
    sim.host("store", || {
        Server::builder().service(StoreServer::new(Nowhere)).bind("0.0.0.0:7000")?.wait()?;
        Ok(())
    });
    sim.client("alice", move || {
        fibra::sleep(MILLISECOND)?;
        let mut limits = Limits::default();
        limits.buffered_bytes = 100_000;
        let store = StoreClient::new(Channel::builder().limits(limits).connect("store:7000")?);
        store.put(vec![7; 300_000])?;
        hosts.pause("store");
        fibra::scope(|scope| {
            for n in 0..20 {
                let store = store.within(MILLISECOND * (50 + n));
                scope.spawn(move || {
                    let begin = fibra::clock::now();
                    assert!(store.put(vec![7; 300_000]).is_err());
                    let took = fibra::clock::now() - begin;
                    assert!(took < MILLISECOND * (55 + n), "{took:?}");
                });
            }
        });
        hosts.resume("store");
        store.put(vec![7; 300_000])?;
        Ok(())
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
}
