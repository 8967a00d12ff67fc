//! Each kind of fault, as data: it begins and ends when it is said to, again and again, and no more when the faults are over.

use std::time::Duration;

use fibra::sim::{Fault, Faults, Sim, Trouble};

const SECOND: Duration = Duration::from_secs(1);

/// Every kind, what is told when one begins, and when it ends.
const TROUBLES: [(Trouble, &str, Option<&str>); 8] = [
    (Trouble::Partition, "cut", Some("healed")),
    (Trouble::OneWayPartition, "cut", Some("healed")),
    (Trouble::Hold, "held", Some("released")),
    (Trouble::Reset, "a reset of all connections", None),
    (Trouble::Crash, "crash", Some("boot")),
    (Trouble::Pause, "paused", Some("resumed")),
    (Trouble::NoDescriptors, "no descriptors", None),
    (Trouble::Stall, "stalled", Some("reads again")),
];

/// What happens under a fault that begins at 1 s and at 3 s and lasts for a second, with an end of all faults at 4.5 s.
fn events(what: Trouble) -> Vec<String> {
    let fault = Fault { what, hosts: Vec::new(), every: (SECOND, SECOND), lasting: (SECOND, SECOND) };
    let until = Some(Duration::from_millis(4_500));
    let mut sim = Sim::builder().seed(7).faults(Faults { faults: vec![fault], until, ..Faults::default() }).build();
    let network = sim.network();
    sim.host("server", || Ok(()));
    sim.client("client", || Ok(fibra::sleep(10 * SECOND)?));
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
    let is_before_the_end = |line: &String| !line.trim_start().starts_with("4.5s");
    network.last_events().into_iter().take_while(is_before_the_end).collect()
}

#[test]
fn at_their_times() {
    for (what, begins, ends) in TROUBLES {
        let events = events(what);
        // In whole seconds; what happens at once, as the first boots do, is told in lesser units.
        let second =
            |line: &String| Some(line.split_whitespace().next()?.strip_suffix('s')?.parse::<f64>().ok()? as u64);
        let times =
            |words: &str| events.iter().filter(|line| line.ends_with(words)).filter_map(second).collect::<Vec<_>>();
        let each = if matches!(what, Trouble::Partition | Trouble::Hold) { 2 } else { 1 };
        let at = |seconds: [u64; 2]| seconds.iter().flat_map(|&at| vec![at; each]).collect::<Vec<_>>();
        assert_eq!(times(begins), at([1, 3]), "{what:?}: {events:#?}");
        if let Some(ends) = ends {
            assert_eq!(times(ends), at([2, 4]), "{what:?}: {events:#?}");
        }
    }
}
