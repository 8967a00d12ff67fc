//! The server runs a call, and its answer gets lost with the connection: the client asks again, under the same number, and gets that answer. For each
//! instant at which the connection may be lost.

use std::time::Duration;

use fibra::sim::{Latency, Sim};

use crate::support::{Account, BANK, BankClient, with_bank};

const MILLISECOND: Duration = Duration::from_millis(1);

#[test]
fn whenever_the_connection_is_lost() {
    for tenth in 0..100 {
        let account = Account::default();
        let mut sim = with_bank(Sim::builder().seed(tenth).latency(Latency::fixed(MILLISECOND)), &account);
        let network = sim.network();
        sim.client("alice", move || {
            let bank = BankClient::connect(BANK)?;
            bank.deposit(1)?;
            let network = network.clone();
            let cutting = fibra::spawn_local(move || {
                let _ = fibra::sleep(MILLISECOND * tenth as u32 / 25);
                network.reset("alice", "bank");
            });
            assert_eq!(bank.deposit(10)?, 11);
            cutting.join().map_err(|_| "it does not panic")?;
            Ok(())
        });
        sim.run().unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(account.balance(), 11, "lost after {tenth} tenths of a way");
    }
}

#[test]
fn though_only_the_answer_is_lost() {
    let account = Account::default();
    let mut sim = with_bank(Sim::builder().seed(7).latency(Latency::fixed(MILLISECOND)), &account);
    let network = sim.network();
    sim.client("alice", {
        let account = account.clone();
        move || {
            let bank = BankClient::connect(BANK)?;
            network.partition_one_way("bank", "alice");
            let call = bank.start().deposit(1);
            while account.balance() == 0 {
                fibra::sleep(MILLISECOND)?;
            }
            network.reset("alice", "bank");
            network.heal("alice", "bank");
            assert_eq!(call.join()?, 1);
            assert_eq!(bank.channel().stats().retries, 0, "it is the same call");
            Ok(())
        }
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(account.balance(), 1);
}
