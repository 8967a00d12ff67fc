//! Faults by a user's own rules: straight-line code in a fiber of no host, composed as functions are, over when the faults are.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use fibra::sim::{Cause, Ending, Faults, Hosts, Network, Report, Sim};

const SECOND: Duration = Duration::from_secs(1);

fn elapsed() -> Duration {
    fibra::seeded::elapsed().expect("it is simulated")
}

/// Two hosts, and how often the server was started when 100 seconds were over.
fn boots(faults: Faults, rule: impl FnOnce(&Network, &Hosts) -> Ending + 'static) -> (u32, Report) {
    let boots = Rc::new(RefCell::new(0));
    let mut sim = Sim::builder().seed(7).faults(faults).build();
    let hosts = sim.hosts();
    sim.host("server", || Ok(()));
    sim.client("client", {
        let boots = Rc::clone(&boots);
        move || {
            fibra::sleep(100 * SECOND)?;
            assert!(hosts.is_up("server"));
            *boots.borrow_mut() = hosts.boots("server");
            Ok(())
        }
    });
    sim.rule("own", rule);
    let report = sim.run().unwrap_or_else(|failure| panic!("{failure}"));
    (boots.take(), report)
}

/// `rule` each time that `pause` is over.
fn every(pause: Duration, rule: impl Fn(&Network, &Hosts)) -> impl FnOnce(&Network, &Hosts) -> Ending {
    move |network, hosts| loop {
        fibra::sleep(pause)?;
        rule(network, hosts);
    }
}

/// Both, side by side.
fn both(
    one: impl FnOnce(&Network, &Hosts) -> Ending + 'static,
    other: impl FnOnce(&Network, &Hosts) -> Ending + 'static,
) -> impl FnOnce(&Network, &Hosts) -> Ending {
    move |network, hosts| {
        let (network_too, hosts_too) = (network.clone(), hosts.clone());
        let beside = fibra::spawn_local(move || one(&network_too, &hosts_too));
        other(network, hosts)?;
        beside.join().expect("it does not panic")
    }
}

#[test]
fn they_act_when_they_say() {
    let (boots, _) = boots(Faults::default(), |_, hosts| {
        for _ in 0..3 {
            fibra::sleep(10 * SECOND)?;
            hosts.restart("server");
        }
        Ok(())
    });
    assert_eq!(boots, 4);
}

#[test]
fn they_are_composed() {
    let restart = |pause| every(pause, |_: &Network, hosts: &Hosts| hosts.restart("server"));
    let (boots, report) = boots(Faults::default(), both(restart(30 * SECOND), restart(40 * SECOND)));
    assert_eq!((boots, report.trace().leaked()), (1 + 3 + 2, 0));
}

#[test]
fn they_end_with_the_faults_and_what_they_did_is_mended() {
    let faults = Faults { until: Some(35 * SECOND), ..Faults::default() };
    let ended = Rc::new(RefCell::new(None));
    let (boots, _) = boots(faults, {
        let ended = Rc::clone(&ended);
        move |_, hosts| {
            for _ in 0..3 {
                fibra::sleep(10 * SECOND)?;
                hosts.restart("server");
            }
            fibra::sleep(SECOND)?;
            hosts.crash("server");
            let cancelled = fibra::sleep(10 * SECOND);
            *ended.borrow_mut() = Some(elapsed());
            cancelled?;
            unreachable!("the faults are over");
        }
    });
    assert_eq!(boots, 5, "it was started again");
    assert_eq!(ended.take().map(|at| at.as_secs()), Some(35));
}

#[test]
fn a_rule_that_fails_fails_the_run() {
    let mut sim = Sim::builder().build();
    sim.client("client", || Ok(fibra::sleep(100 * SECOND)?));
    sim.rule("broken", |_, _| {
        fibra::sleep(SECOND)?;
        Err("a mistake in the rule".into())
    });
    let failure = sim.run().expect_err("it fails");
    assert!(failure.configuration().contains("rule broken"), "{failure}");
    let expected = Cause::Error { host: "broken".to_owned(), error: "a mistake in the rule".to_owned() };
    assert_eq!((failure.cause(), failure.at().as_secs()), (&expected, 1));
}

#[test]
fn the_same_seed_and_rules_are_the_same_run() {
    let run = || boots(Faults::swarm(3, 50 * SECOND), every(SECOND, |_, hosts| hosts.restart("server"))).1;
    assert_eq!(run(), run());
}
