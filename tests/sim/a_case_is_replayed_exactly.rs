//! What a failure prints runs that case again, switch by switch: by the seed, by the case as text, as a command.

use std::process::Command;

use fibra::rpc::Executed;
use fibra::sim::{Case, Ending, Explorer, Finding};

use crate::support::{Account, Bank, connect, serve};

/// A bug: who does not know whether a deposit was made takes it for one that was not.
fn deposits_add_up(sim: &mut Case) -> Ending {
    let (account, known) = (Account::default(), Account::default());
    let disk = account.clone();
    sim.host("bank", move || serve(&disk));
    let draws = sim.draws();
    for client in 0..sim.draw("clients", 1..=3) {
        let (draws, known) = (draws.clone(), known.clone());
        sim.client(&format!("client-{client}"), move || {
            let bank = connect()?;
            for _ in 0..draws.draw("deposits", 1..=20) {
                match bank.deposit(1) {
                    Ok(_) => {
                        Bank::deposit(&known, 1);
                    }
                    Err(error) => assert_ne!(error.executed(), Executed::Yes),
                }
                fibra::sleep(std::time::Duration::from_millis(draws.draw("pause", 0..=500)))?;
            }
            Ok(())
        });
    }
    sim.run()?;
    match (account.balance(), known.balance()) {
        (there, known) if there == known => Ok(()),
        (there, known) => Err(format!("{known} were deposited, {there} are there").into()),
    }
}

fn find(explorer: &Explorer) -> Box<Finding> {
    explorer.run(deposits_add_up).expect_err("some seed fails")
}

#[test]
fn by_its_text() {
    let finding = find(&Explorer::new().seeds(0..1000).shrink_runs(300));
    assert!(finding.is_exact(), "{finding}");
    for case in [finding.first(), finding.smallest()] {
        let again = find(&Explorer::new().seeds(0..0).shrink_runs(0).case(&case.recipe().to_string()));
        let again = again.first();
        assert_eq!((again.hash(), again.what()), (case.hash(), case.what()), "{finding}");
        assert!(again.hash().is_some());
        assert_eq!(again.last_events(), case.last_events());
    }
    let seed = finding.first().recipe().seed;
    let again = find(&Explorer::new().seeds(seed..seed + 1).shrink_runs(0));
    assert_eq!(again.first().hash(), finding.first().hash());
}

#[test]
#[ignore = "is run by others, with a seed in its environment"]
fn check_that_fails() {
    Explorer::new().shrink_runs(300).check(deposits_add_up);
}

fn run_child(variable: &str, value: &str) -> String {
    let child = Command::new(std::env::current_exe().expect("own path"))
        .args(["a_case_is_replayed_exactly::check_that_fails", "--exact", "--ignored", "--nocapture"])
        .env_remove("FIBRA_SIM_SEED")
        .env_remove("FIBRA_SIM_CASE")
        .env(variable, value)
        .output()
        .expect("it runs");
    assert!(!child.status.success());
    String::from_utf8_lossy(&child.stderr).into_owned()
}

#[test]
#[cfg(panic = "unwind")]
fn by_the_command_that_is_printed() {
    let found = run_child("FIBRA_SIM_SEEDS", "1000");
    let hash = found.lines().find(|line| line.starts_with("hash: ")).unwrap_or_else(|| panic!("{found}"));
    let commands: Vec<_> = found.lines().filter_map(|line| line.strip_prefix("  FIBRA_SIM_")).collect();
    assert_eq!(commands.len(), 2, "{found}");
    assert!(commands.iter().all(|command| command.contains("check_that_fails -- --exact --nocapture")), "{found}");
    let case = commands[0].strip_prefix("CASE='").and_then(|rest| rest.split('\'').next()).expect("a case first");
    assert!(run_child("FIBRA_SIM_CASE", case).contains(hash), "{found}");
    let seed = commands[1].strip_prefix("SEED=").and_then(|rest| rest.split(' ').next()).expect("then a seed");
    let again = run_child("FIBRA_SIM_SEED", seed);
    assert!(again.contains(&format!("with seed {seed}")) && again.contains(" were deposited, "), "{again}");
}

#[test]
#[cfg(panic = "unwind")]
fn and_a_typing_error_is_none() {
    assert!(run_child("FIBRA_SIM_CASE", "seed=1 hail=1").contains("'hail=1' is no part of a case"));
    assert!(run_child("FIBRA_SIM_SEED", "one").contains("FIBRA_SIM_SEED is not a number: one"));
}
