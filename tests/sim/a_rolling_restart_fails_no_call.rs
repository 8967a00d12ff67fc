//! Two servers are drained and started anew, one after the other, again and again: no call fails, and each runs once.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use fibra::rpc::server::Drained;
use fibra::rpc::{Channel, Server};
use fibra::sim::{Latency, Sim};

use crate::support::{Account, BankClient, BankServer, seeds};

const MILLISECOND: Duration = Duration::from_millis(1);
const ROUNDS: u32 = 4;

#[test]
fn under_every_order_of_events() {
    for seed in seeds(12) {
        let account = Account::default();
        let latency = Latency::between(MILLISECOND / 10, 3 * MILLISECOND);
        let mut sim = Sim::builder().seed(seed).latency(latency).build();
        let drained = Rc::new(Cell::new(0));
        for (number, name) in (0..).zip(["first", "second"]) {
            let (account, drained) = (account.clone(), Rc::clone(&drained));
            sim.host(name, move || {
                // Never both at a time.
                let mut pause = Duration::from_secs(3) * number;
                for _ in 0..ROUNDS {
                    let server = Server::builder().service(BankServer::new(account.clone())).bind("0.0.0.0:7000")?;
                    fibra::sleep(Duration::from_secs(3) + pause)?;
                    assert_eq!(server.drain(Duration::from_secs(2)), Drained::Complete);
                    drained.set(drained.get() + 1);
                    pause = Duration::from_secs(2);
                }
                let server = Server::builder().service(BankServer::new(account.clone())).bind("0.0.0.0:7000")?;
                server.wait()?;
                Ok(())
            });
        }
        let made = Rc::new(Cell::new(0));
        for client in ["alice", "bob"] {
            let (made, drained) = (Rc::clone(&made), Rc::clone(&drained));
            sim.client(client, move || {
                fibra::sleep(MILLISECOND)?;
                let bank = BankClient::new(Channel::connect_to(["first:7000", "second:7000"])?);
                while drained.get() < 2 * ROUNDS {
                    bank.deposit(1)?;
                    made.set(made.get() + 1);
                    bank.wait(seed % 5)?;
                    fibra::sleep(5 * MILLISECOND)?;
                }
                Ok(())
            });
        }
        sim.run().unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(account.balance(), made.get(), "seed {seed}");
    }
}
