//! A server that crashes has forgotten what it ran: a call that may have reached it ends as *Maybe*, unless it is idempotent; one that has not
//! left goes to the server's next life.

use std::time::Duration;

use fibra::rpc::{CallError, Executed};
use fibra::sim::{Latency, Sim};

use crate::support::{Account, BANK, BankClient, with_bank};

const MILLISECOND: Duration = Duration::from_millis(1);

#[test]
fn whenever_it_crashes() {
    let mut outcomes = Vec::new();
    for tenth in 0..60 {
        let account = Account::default();
        let mut sim = with_bank(Sim::builder().seed(tenth).latency(Latency::fixed(MILLISECOND)), &account);
        let (hosts, network) = (sim.hosts(), sim.network());
        let (sender, outcome) = std::sync::mpsc::channel();
        sim.client("alice", move || {
            let bank = BankClient::connect(BANK)?;
            bank.add(1, 2)?;
            let (hosts, network) = (hosts.clone(), network.clone());
            if tenth % 2 == 1 {
                // The answer gets lost, and there is nobody to send it again.
                network.partition_one_way("bank", "alice");
            }
            let crashing = fibra::spawn_local(move || {
                let _ = fibra::sleep(MILLISECOND * tenth as u32 / 10);
                hosts.restart("bank");
                let _ = fibra::sleep(10 * MILLISECOND);
                network.heal("bank", "alice");
            });
            let result = bank.deposit(1);
            let executed = match result {
                Ok(balance) => {
                    assert_eq!(balance, 1);
                    Executed::Yes
                }
                Err(CallError::Disconnected { executed, .. }) => executed,
                Err(error) => return Err(error.into()),
            };
            sender.send(executed)?;
            crashing.join().map_err(|_| "it does not panic")?;
            assert_eq!(bank.add(1, 2)?, 3);
            Ok(())
        });
        sim.run().unwrap_or_else(|failure| panic!("{failure}"));
        let executed = outcome.recv().expect("the client has said it");
        let runs = account.balance();
        match executed {
            Executed::Yes => assert_eq!(runs, 1),
            Executed::No => assert_eq!(runs, 0),
            Executed::Maybe => assert!(runs <= 1),
        }
        outcomes.push((executed, runs));
    }
    // All that may happen has.
    for expected in [(Executed::Yes, 1), (Executed::Maybe, 0), (Executed::Maybe, 1)] {
        assert!(outcomes.contains(&expected), "{expected:?} is not among {outcomes:?}");
    }
}

#[test]
fn but_what_is_idempotent_is_answered() {
    let account = Account::default();
    let mut sim = with_bank(Sim::builder().seed(7), &account);
    let hosts = sim.hosts();
    sim.client("alice", move || {
        let bank = BankClient::connect(BANK)?;
        for n in 0..50 {
            let call = bank.start().add(n, 1);
            fibra::sleep(MILLISECOND * (n % 5) as u32 / 10)?;
            hosts.restart("bank");
            assert_eq!(call.join()?, n + 1);
        }
        Ok(())
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
}
