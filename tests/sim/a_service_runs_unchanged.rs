//! A server and its clients, as in production: real `bind`, real `connect`, by name.

use std::time::Duration;

use fibra::sim::{Latency, Sim};

use crate::support::{Account, BANK, BankClient, with_bank};

#[test]
fn calls_are_answered_over_the_simulated_network() {
    let account = Account::default();
    let millisecond = Duration::from_millis(1);
    let mut sim = with_bank(Sim::builder().seed(7).latency(Latency::fixed(millisecond)), &account);
    for client in ["alice", "bob"] {
        sim.client(client, || {
            let bank = BankClient::connect(BANK)?;
            let begin = fibra::clock::now();
            for n in 0..100 {
                assert_eq!(bank.add(n, 1)?, n + 1);
            }
            let took = fibra::clock::now() - begin;
            assert!(took >= 200 * Duration::from_millis(1) && took < Duration::from_millis(220), "{took:?}");
            bank.deposit(10)?;
            Ok(())
        });
    }
    let report = sim.run().unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(account.balance(), 20);
    assert_eq!(report.trace().leaked(), 0);
}
