//! A call ends when its time is up, not later, whatever becomes of the network; and a handler is told when its caller has gone.

use std::time::Duration;

use fibra::rpc::Executed;
use fibra::sim::{Faults, Sim};

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
