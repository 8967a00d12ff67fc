//! Under whatever the network and crashes do, at most once is at most once; and when that ends, calls are answered again.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use fibra::sim::{Faults, Sim};

use crate::support::{Account, connect, seeds, with_bank};

const DISTURBED: Duration = Duration::from_secs(10);

#[test]
fn and_no_deposit_is_made_twice() {
    for seed in seeds(200) {
        let account = Account::default();
        let mut sim = with_bank(Sim::builder().seed(seed).faults(Faults::swarm(seed, DISTURBED)), &account);
        let (known, unknown) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        for client in ["alice", "bob"] {
            let (known, unknown) = (Rc::clone(&known), Rc::clone(&unknown));
            sim.client(client, move || {
                let bank = connect()?;
                while fibra::seeded::elapsed().is_some_and(|now| now < DISTURBED) {
                    match bank.deposit(1) {
                        Ok(_) => known.set(known.get() + 1),
                        Err(error) if error.executed() == fibra::rpc::Executed::No => {}
                        Err(_) => unknown.set(unknown.get() + 1),
                    }
                    fibra::sleep(Duration::from_millis(50))?;
                }
                // Whatever was broken is mended after a while.
                let begin = fibra::clock::now();
                while bank.add(1, 2).is_err() {
                    assert!(fibra::clock::now() - begin < Duration::from_secs(60), "it never works again");
                }
                Ok(())
            });
        }
        let report = sim.run().unwrap_or_else(|failure| panic!("{failure}"));
        let made = account.balance();
        assert!(
            known.get() <= made && made <= known.get() + unknown.get(),
            "seed {seed}: {known:?} {made} {unknown:?}"
        );
        assert_eq!(report.trace().leaked(), 0, "seed {seed}");
    }
}
