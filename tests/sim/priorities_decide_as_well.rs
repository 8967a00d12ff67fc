use fibra::seeded::Schedule;
use fibra::sim::{Report, Sim};

use crate::support::{Account, connect, seeds, with_bank};

/// Two clients, ten deposits each.
fn run(seed: u64, schedule: Schedule) -> (Report, u64) {
    let account = Account::default();
    let mut sim = with_bank(Sim::builder().seed(seed).schedule(schedule), &account);
    for name in ["alice", "bob"] {
        sim.client(name, || {
            let bank = connect()?;
            for _ in 0..10 {
                bank.deposit(1)?;
            }
            Ok(())
        });
    }
    (sim.run().unwrap_or_else(|failure| panic!("{failure}")), account.balance())
}

#[test]
fn and_all_completes_and_is_the_same_again() {
    for seed in seeds(100) {
        let (report, _) = run(seed, Schedule::Random);
        let schedule = Schedule::Priorities { depth: 3, steps: report.trace().events() / 2 };
        let (one, balance) = run(seed, schedule);
        assert_eq!(balance, 20);
        assert_eq!(one.trace(), run(seed, schedule).0.trace());
        assert_ne!(one.trace().hash(), report.trace().hash());
    }
}
