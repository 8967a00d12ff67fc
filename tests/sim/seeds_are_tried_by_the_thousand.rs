//! A test under many seeds: all of them run, on however many threads; the first that fails is told; each hundredth is run twice.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::Duration;

use fibra::sim::{Case, Ending, Explorer, Kind};
use parking_lot::Mutex;

fn naps(sim: &mut Case) -> Ending {
    let draws = sim.draws();
    for client in ["alice", "bob"] {
        let draws = draws.clone();
        sim.client(client, move || {
            (0..3).try_for_each(|_| fibra::sleep(Duration::from_millis(draws.draw("nap", 1..=100))))?;
            Ok(())
        });
    }
    Ok(())
}

#[test]
fn each_once_and_one_in_a_hundred_twice() {
    let runs = AtomicU64::new(0);
    let summary = Explorer::new().seeds(1000..1250).run(|sim| {
        runs.fetch_add(1, Relaxed);
        naps(sim)
    });
    let summary = summary.expect("they pass");
    assert_eq!((summary.cases, summary.reruns, runs.into_inner()), (250, 3, 253));
}

#[test]
fn as_many_threads_as_there_are_come_to_the_same() {
    let run = |jobs| Explorer::new().seeds(0..150).jobs(jobs).run(naps).expect("they pass");
    assert_eq!(run(1), run(3));
    assert_ne!(run(1).hash, Explorer::new().seeds(1..151).run(naps).expect("they pass").hash);
}

#[test]
fn and_the_first_that_fails_is_told_whoever_is_faster() {
    for jobs in [1, 2, 5] {
        let (done, late) = mpsc::channel();
        let late = Mutex::new(late);
        let finding = Explorer::new().seeds(0..10_000).jobs(jobs).shrink_runs(0).run(|sim| {
            let seed = sim.recipe().seed;
            naps(sim)?;
            sim.run()?;
            // The first to fail comes to its end after a later one.
            match seed {
                42 if jobs > 1 => late.lock().recv()?,
                45 => done.send(())?,
                _ => {}
            }
            if seed >= 40 && seed % 3 == 0 { Err("that is one".into()) } else { Ok(()) }
        });
        let finding = finding.expect_err("one fails");
        assert_eq!((finding.passed(), finding.first().recipe().seed), (42, 42), "{jobs} jobs");
    }
}

#[test]
fn what_is_decided_elsewhere_is_noticed() {
    let elsewhere = AtomicU64::new(0);
    let finding = Explorer::new().seeds(0..10).run(|sim| {
        let nap = Duration::from_millis(elsewhere.fetch_add(1, Relaxed));
        sim.client("alice", move || Ok(fibra::sleep(nap)?));
        Ok(())
    });
    let finding = finding.expect_err("the first is run twice");
    assert_eq!(*finding.first().kind(), Kind::Irreproducible);
    assert!(finding.to_string().contains("another course on a rerun"), "{finding}");
}

#[test]
fn a_fiber_may_ask_for_it() {
    let summary = fibra::run(|| Explorer::new().seeds(0..5).run(naps).expect("they pass"));
    assert_eq!(summary.cases, 5);
}
