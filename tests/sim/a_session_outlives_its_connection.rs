//! A session lasts for its lease behind its connection, however long that was: a client that comes back within it gets the answer that it has missed;
//! and one whose calls still run gets it also after that.

use std::time::Duration;

use fibra::rpc::Server;
use fibra::sim::{Latency, Sim};

use crate::support::{Account, BANK, Bank, BankClient, BankServer};

const SECOND: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(5);

/// A bank where a deposit takes a while.
#[derive(Clone, Default)]
struct Slow {
    account: Account,
    takes: Duration,
}

impl Bank for Slow {
    fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }

    fn deposit(&self, cents: u64) -> u64 {
        let there = self.account.deposit(cents);
        // Its caller may be gone.
        let _ = fibra::sleep(self.takes);
        there
    }

    fn wait(&self, _millis: u64) {}
}

/// A client that was connected for so long loses its connection while a deposit is made that takes so long, and comes back after that time.
fn comes_back(connected: Duration, takes: Duration, after: Duration) {
    let bank = Slow { account: Account::default(), takes };
    let mut sim = Sim::builder().seed(7).latency(Latency::fixed(SECOND / 1000)).build();
    sim.host("bank", {
        let bank = bank.clone();
        move || {
            let server = Server::builder().service(BankServer::new(bank.clone())).session_lease(LEASE);
            server.bind("0.0.0.0:7000")?.wait()?;
            Ok(())
        }
    });
    // Who comes and goes has others' leases looked at.
    sim.host("others", || {
        loop {
            fibra::sleep(SECOND / 2)?;
            drop(BankClient::connect(BANK));
        }
    });
    let network = sim.network();
    let account = bank.account.clone();
    sim.client("alice", move || {
        fibra::sleep(SECOND / 100)?;
        let bank = BankClient::connect(BANK)?.within(60 * SECOND);
        fibra::sleep(connected)?;
        network.partition_one_way("bank", "alice");
        let call = bank.start().deposit(1);
        while account.balance() == 0 {
            fibra::sleep(SECOND / 1000)?;
        }
        network.partition("bank", "alice");
        network.reset("alice", "bank");
        fibra::sleep(after)?;
        network.heal("alice", "bank");
        assert_eq!(call.join()?, 1);
        Ok(())
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(bank.account.balance(), 1);
}

#[test]
fn for_its_lease() {
    comes_back(20 * SECOND, Duration::ZERO, 3 * SECOND);
}

#[test]
fn for_as_long_as_a_call_runs() {
    comes_back(SECOND, 20 * SECOND, 12 * SECOND);
}
