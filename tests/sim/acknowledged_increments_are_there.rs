//! Each increment that was acknowledged is there, each that was told not to have run is not, and the others are there once or not at all: under all
//! kinds of faults, though the counter's server crashes.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use fibra::rpc::Executed;
use fibra::sim::{Faults, Sim};

use crate::support::{Account, connect, seeds, with_bank};

const DISTURBED: Duration = Duration::from_secs(5);

/// How many increments there were of each outcome.
#[derive(Debug, Default)]
struct Told {
    yes: u64,
    no: u64,
    maybe: u64,
}

#[test]
fn under_a_swarm_of_faults() {
    let mut all = Told::default();
    for seed in seeds(100) {
        let account = Account::default();
        let mut sim = with_bank(Sim::builder().seed(seed).faults(Faults::swarm(seed, DISTURBED)), &account);
        let told = Rc::new(RefCell::new(Told::default()));
        for client in ["alice", "bob"] {
            let told = Rc::clone(&told);
            sim.client(client, move || {
                let bank = connect()?.within(Duration::from_millis(300));
                for _ in 0..25 {
                    let result = bank.deposit(1);
                    let mut told = told.borrow_mut();
                    match result.map_err(|error| error.executed()) {
                        Ok(_) | Err(Executed::Yes) => told.yes += 1,
                        Err(Executed::No) => told.no += 1,
                        Err(Executed::Maybe) => told.maybe += 1,
                    }
                    drop(told);
                    fibra::sleep(Duration::from_millis(20))?;
                }
                Ok(())
            });
        }
        sim.run().unwrap_or_else(|failure| panic!("{failure}"));
        let Told { yes, no, maybe } = *told.borrow();
        let made = account.balance();
        assert!(yes <= made && made <= yes + maybe, "seed {seed}: {made} were made, told were {told:?}");
        (all.yes, all.no, all.maybe) = (all.yes + yes, all.no + no, all.maybe + maybe);
    }
    assert!(all.yes > 0 && all.no > 0 && all.maybe > 0, "{all:?}");
}
