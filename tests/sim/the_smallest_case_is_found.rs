//! The shrinker comes to what is known to be the least: of draws, of faults, of rules; and does not take another failure for the one that it has.

use std::time::Duration;

use fibra::sim::{Case, Counterexample, Ending, Explorer, Fault, Faults, Finding, Kind, Schedule, Trouble};

const SECOND: Duration = Duration::from_secs(1);

fn find(test: impl Fn(&mut Case) -> Ending + Sync) -> Box<Finding> {
    Explorer::new().seeds(0..500).run(test).expect_err("some seed fails")
}

fn values(case: &Counterexample) -> Vec<(&str, u64)> {
    case.drawn().iter().map(|drawn| (drawn.name, drawn.value)).collect()
}

fn bare() -> Faults {
    Faults::default()
}

#[test]
fn of_numbers() {
    let finding = find(|sim| {
        let (clients, calls) = (sim.draw("clients", 1..=9), sim.draw("calls", 0..=1_000_000));
        if clients >= 3 && calls >= 77_777 { Err("too much".into()) } else { Ok(()) }
    });
    let smallest = finding.smallest();
    assert_eq!(values(smallest), [("clients", 3), ("calls", 77_777)], "{finding}");
    assert_eq!(smallest.recipe().faults, Some(bare()), "{finding}");
}

#[test]
fn of_lists() {
    let finding = find(|sim| {
        let numbers: Vec<u64> = (0..sim.draw("length", 0..=30)).map(|_| sim.draw("number", 0..=100)).collect();
        match numbers.windows(2).any(|pair| pair[0] > pair[1]) {
            true => Err("it is not sorted".into()),
            false => Ok(()),
        }
    });
    assert_eq!(values(finding.smallest()), [("length", 2), ("number", 1), ("number", 0)], "{finding}");
}

#[test]
fn of_draws_in_the_middle_of_a_run() {
    let finding = find(|sim| {
        let draws = sim.draws();
        sim.client("alice", move || {
            let mut slept = 0;
            for _ in 0..draws.draw("naps", 1..=20) {
                let nap = draws.draw("nap", 1..=1000);
                fibra::sleep(Duration::from_millis(nap))?;
                slept += nap;
            }
            if slept >= 1500 { Err("overslept".into()) } else { Ok(()) }
        });
        Ok(())
    });
    let smallest = values(finding.smallest());
    assert_eq!(smallest[1..].iter().map(|(_, nap)| nap).sum::<u64>(), 1500, "{finding}");
    assert!((2..=3).contains(&smallest[0].1), "{finding}");
}

/// A bug that shows when the server has crashed once, whatever else goes on.
fn forgets(sim: &mut Case) -> Ending {
    let hosts = sim.hosts();
    sim.host("server", || Ok(()));
    for client in 0..sim.draw("clients", 1..=4) {
        let hosts = hosts.clone();
        sim.client(&format!("client-{client}"), move || {
            fibra::sleep(20 * SECOND)?;
            if hosts.boots("server") > 1 { Err("it has forgotten".into()) } else { Ok(()) }
        });
    }
    Ok(())
}

#[test]
fn of_faults() {
    let finding = find(forgets);
    let recipe = finding.smallest().recipe();
    let faults = recipe.faults.clone().expect("they are said");
    assert_eq!(faults.conditions, bare().conditions, "{finding}");
    assert_eq!(faults.skew, bare().skew, "{finding}");
    let [Fault { what: Trouble::Crash, every, lasting, .. }] = &faults.faults[..] else { panic!("{finding}") };
    // Once, just before all is over, and at once up again.
    let until = faults.until.expect("they end");
    assert!(*lasting == (Duration::ZERO, Duration::ZERO) && every.0 == every.1 && 2 * every.0 > until, "{finding}");
    assert!(until > every.0 && until < every.0 + every.0 / 10, "{finding}");
    assert_eq!(values(finding.smallest()), [("clients", 1)], "{finding}");
}

#[test]
fn of_schedules() {
    let priorities = Schedule::Priorities { depth: 3, steps: 100 };
    let explorer = Explorer::new().seeds(0..10).schedules(move |_| priorities);
    let by_either = explorer.run(|_| Err("whatever is next".into())).expect_err("it always fails");
    assert_eq!(by_either.first().recipe().schedule, Some(priorities), "{by_either}");
    assert_eq!(by_either.smallest().recipe().schedule, Some(Schedule::Random), "{by_either}");
    let by_priorities = explorer.run(|sim| {
        sim.client("alice", || Ok(()));
        match sim.run()?.configuration().contains("Priorities") {
            true => Err("only by them".into()),
            false => Ok(()),
        }
    });
    let by_priorities = by_priorities.expect_err("it always fails");
    assert_eq!(by_priorities.smallest().recipe().schedule, Some(priorities), "{by_priorities}");
    assert!(by_priorities.to_string().contains(" schedule=pct:3/100"), "{by_priorities}");
}

#[test]
fn of_rules() {
    let finding = Explorer::new().seeds(0..10).faults(|_| bare()).run(|sim| {
        let draws = sim.draws();
        for (name, is_to_blame) in [("mild", false), ("culprit", true), ("noisy", false)] {
            let draws = draws.clone();
            sim.rule(name, move |_, hosts| {
                for _ in 0..draws.draw("times", 0..=5) {
                    fibra::sleep(Duration::from_millis(draws.draw("pause", 1..=900)))?;
                    if is_to_blame { hosts.restart("server") } else { hosts.pause("server") }
                }
                Ok(())
            });
        }
        forgets(sim)
    });
    let finding = finding.expect_err("some seed fails");
    assert_eq!(finding.smallest().rules(), ["culprit"], "{finding}");
    assert_eq!(values(finding.smallest()), [("clients", 1), ("times", 1), ("pause", 1)], "{finding}");
}

#[test]
fn and_it_fails_as_the_first_did() {
    let finding = Explorer::new().seeds(0..500).run(|sim| match sim.draw("size", 0..=1000) {
        // What is smaller fails, too, but otherwise.
        0..=9 if sim.recipe().draws.is_some() => Err("another bug".into()),
        500.. => Err("the bug".into()),
        _ => Ok(()),
    });
    let finding = finding.expect_err("some seed fails");
    assert_eq!(values(finding.smallest()), [("size", 500)], "{finding}");
    assert!(finding.smallest().what().contains("the bug"), "{finding}");
}

#[test]
#[cfg(panic = "unwind")]
fn also_of_panics_which_are_told_apart_by_their_places() {
    let finding = find(|sim| {
        let size = sim.draw("size", 0..=1000);
        sim.client("alice", move || {
            assert!(size < 300, "size {size}");
            assert!(size > 20 || size == 0, "size {size}");
            Ok(())
        });
        Ok(())
    });
    assert_eq!(*finding.smallest().kind(), *finding.first().kind(), "{finding}");
    assert!(
        matches!(finding.first().kind(), Kind::Panic { location } if location.contains("the_smallest_case_is_found.rs"))
    );
    let least = if finding.first().drawn()[0].value >= 300 { 300 } else { 1 };
    assert_eq!(values(finding.smallest()), [("size", least)], "{finding}");
}

#[test]
fn of_what_waits_for_ever() {
    let finding = find(|sim| {
        let guests = sim.draw("guests", 1..=20);
        sim.client("alice", move || {
            let barrier = fibra::sync::Barrier::new(5);
            if guests > 4 {
                barrier.wait()?;
            }
            Ok(())
        });
        Ok(())
    });
    assert_eq!(
        (finding.smallest().kind(), values(finding.smallest())),
        (&Kind::Deadlock, vec![("guests", 5)]),
        "{finding}"
    );
}

#[test]
fn in_no_more_runs_than_it_may_take_and_each_time_alike() {
    let find = |runs| Explorer::new().seeds(0..500).shrink_runs(runs).run(forgets).expect_err("some seed fails");
    assert!(find(10).shrink_runs() <= 10);
    assert_eq!(find(100).to_string(), find(100).to_string());
    let (none, some, many) = (find(0), find(200), find(2000));
    let length = |finding: &Finding| finding.smallest().recipe().to_string().len();
    assert!(length(&none) > length(&some) && length(&some) >= length(&many), "{none}\n{some}\n{many}");
}
