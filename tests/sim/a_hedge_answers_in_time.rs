//! Of two servers one stalls: an idempotent call that waits for it gets a second copy at the other, and is answered as if nothing was wrong. One
//! that runs at most once gets none.

use std::time::Duration;

use fibra::rpc::Channel;
use fibra::rpc::client::Hedging;
use fibra::sim::{Latency, Sim};

use crate::support::{Account, BankClient, serve};

const MILLISECOND: Duration = Duration::from_millis(1);

#[test]
fn from_the_server_that_does_not_stall() {
    let account = Account::default();
    let mut sim = Sim::builder().seed(7).latency(Latency::fixed(MILLISECOND)).build();
    let hosts = sim.hosts();
    for name in ["first", "second"] {
        let account = account.clone();
        sim.host(name, move || serve(&account));
    }
    sim.client("alice", move || {
        fibra::sleep(MILLISECOND)?;
        let channel = Channel::connect_to(["first:7000", "second:7000"])?;
        let bank = BankClient::new(channel).hedge(Hedging::after(20 * MILLISECOND));
        // Both are connected, and second copies are paid for.
        for n in 0..200 {
            bank.add(n, 1)?;
        }
        hosts.pause("second");
        let begin = fibra::clock::now();
        for n in 0..4 {
            assert_eq!(bank.add(n, 1)?, n + 1);
        }
        let took = fibra::clock::now() - begin;
        assert!(took < 4 * 30 * MILLISECOND, "{took:?}");
        assert!(bank.channel().stats().hedges > 0);
        let hedges = bank.channel().stats().hedges;
        hosts.resume("second");
        for _ in 0..10 {
            bank.deposit(1)?;
        }
        assert_eq!(bank.channel().stats().hedges, hedges);
        Ok(())
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(account.balance(), 10);
}
