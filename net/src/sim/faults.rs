//! Faults that come and go by themselves, at times that the seed decides; and swarms of them.
//!
//! Data, so that they can be printed, compared, and left out one by one.

use std::time::Duration;

use fibra_scheduler::seeded::{Rng, Skew};

use super::agenda::Event;
use super::dice::between;
use super::link::{Conditions, Latency, nanos};
use super::state::State;

/// Keeps what a swarm draws apart from others of the same seed.
const PURPOSE: u64 = 4;

/// Likewise, of what the faults draw as they come and go: from here on, each has a number of its own.
const FIRST_PURPOSE: u64 = 1 << 16;

/// Likewise, of what sets the clocks: each machine's has a number of its own.
const CLOCKS_PURPOSE: u64 = 1 << 41;

/// How fast links are in a swarm that are slow, in bytes a second: from one that takes seconds for a large message to one that hardly matters.
const BANDWIDTHS: [u64; 3] = [100_000, 1_000_000, 20_000_000];

/// The shortest and the longest of a time that the seed decides.
pub type Span = (Duration, Duration);

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Trouble {
    /// Two hosts are cut off from each other.
    Partition,
    /// What one host sends to another is lost; what comes back arrives.
    OneWayPartition,
    /// What goes between two hosts is kept, and arrives later.
    Hold,
    /// All connections between two hosts are reset.
    Reset,
    /// A host crashes, and is started anew.
    Crash,
    /// A host is not run.
    Pause,
    /// A host gets no more sockets.
    NoDescriptors,
    /// What runs on a host reads nothing.
    Stall,
}

/// Something that goes wrong again and again.
///
/// ```
/// use std::time::Duration;
/// use fibra_net::sim::{Fault, Trouble};
///
/// let second = Duration::from_secs(1);
/// let crashes = Fault { what: Trouble::Crash, hosts: vec!["bank".into()], every: (second, 3 * second), lasting: (second, second) };
/// assert!(crashes.hosts.contains(&"bank".to_owned()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub what: Trouble,
    /// Which hosts may be hit; none: any. Of those, clients are hit by nothing that is about one host, such as a crash, unless they are named.
    pub hosts: Vec<String>,
    /// How long it goes well, each time.
    pub every: Span,
    /// How long it then goes wrong.
    pub lasting: Span,
}

impl Fault {
    /// One that may hit any host, or none.
    fn swarm(what: Trouble, rng: &mut Rng) -> Option<Self> {
        if rng.below(2) == 0 {
            return None;
        }
        let every = Duration::from_millis(between(rng, 50, 5_000));
        let lasting = Duration::from_millis(between(rng, 1, 2_000));
        Some(Self { what, hosts: Vec::new(), every: (every / 4, every), lasting: (Duration::ZERO, lasting) })
    }
}

/// Everything that goes wrong in a simulation by itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// What all links do.
    pub conditions: Conditions,
    /// What comes and goes.
    pub faults: Vec<Fault>,
    /// How far clocks may differ that [`Sim::clock`](super::Sim::clock) does not set: ahead by up to the offset, faster or slower by up to
    /// the drift.
    pub skew: Skew,
    /// When all of it ends, so that what can be completed is; `None`: never.
    pub until: Option<Duration>,
}

impl Faults {
    /// A random selection, drawn from `seed`: each kind of fault is there or not, more often or less, alone or with others. Some seeds
    /// disturb hardly, some by everything.
    pub fn swarm(seed: u64, until: Duration) -> Self {
        let mut rng = Rng::new(seed, PURPOSE);
        let mut some = |most: f64| match rng.below(2) {
            0 => 0.0,
            // In steps that are exact, so that they are printed shortly.
            _ => most * (1 + rng.below(64)) as f64 / 64.0,
        };
        let mut conditions = Conditions {
            loss: some(0.125),
            duplication: some(0.25),
            reordering: some(0.5),
            splitting: some(0.5),
            short_writes: some(0.5),
            resets: some(0.015_625),
            refusals: some(0.25),
            ..Conditions::default()
        };
        let tail = some(0.0625);
        let longest = [1, 5, 20, 100][rng.below(4)];
        let max = Duration::from_millis(longest);
        conditions.latency = Latency::between(Duration::from_micros(50), max).with_tail(tail, 20 * max);
        let troubles = [
            Trouble::Partition,
            Trouble::OneWayPartition,
            Trouble::Hold,
            Trouble::Reset,
            Trouble::Crash,
            Trouble::Pause,
            Trouble::NoDescriptors,
        ];
        let mut faults: Vec<_> = troubles.into_iter().filter_map(|what| Fault::swarm(what, &mut rng)).collect();
        let skew = match rng.below(3) {
            0 => Skew::default(),
            1 => Skew { offset: Duration::from_secs(3600), drift: 200 },
            _ => Skew { offset: Duration::from_secs(1), drift: 50_000 },
        };
        // What came later is drawn last, so that the rest of a seed's swarm stays as it was.
        faults.extend(Fault::swarm(Trouble::Stall, &mut rng));
        conditions.bandwidth = match rng.below(4) {
            0 => Some(BANDWIDTHS[rng.below(BANDWIDTHS.len())]),
            _ => None,
        };
        Self { conditions, faults, skew, until: Some(until) }
    }
}

/// What a fault hits at the moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit(u16, u16);

/// The faults of a run.
#[derive(Debug, Default)]
pub(super) struct Plan {
    faults: Vec<Fault>,
    /// A generator each, so that one that is left out does not shift the others.
    rngs: Vec<Rng>,
    hits: Vec<Option<Hit>>,
    until: Option<Duration>,
}

/// The number under which the end of all faults is on the agenda.
pub(super) const CALM: u16 = u16::MAX;

impl Plan {
    /// Sets the clocks, and puts the first of each fault on the agenda.
    pub(super) fn begin(seed: u64, Faults { faults, skew, until, .. }: Faults, state: &mut State) -> Self {
        state.skew_clocks(seed, skew);
        let rngs = faults.iter().enumerate().map(|(place, fault)| {
            let alike = faults[..place].iter().filter(|other| other.what == fault.what).count();
            Rng::new(seed, FIRST_PURPOSE + 64 * alike as u64 + fault.what as u64)
        });
        let mut plan = Self { rngs: rngs.collect(), hits: vec![None; faults.len()], faults, until };
        for number in 0..plan.faults.len() {
            plan.note(state, number as u16, plan.faults[number].every, true);
        }
        if let Some(until) = until {
            state.agenda.note(nanos(until), Event::Fault { fault: CALM, begins: false });
        }
        plan
    }

    fn note(&mut self, state: &mut State, fault: u16, (min, max): Span, begins: bool) {
        let rng = &mut self.rngs[usize::from(fault)];
        let at = state.now.saturating_add(between(rng, nanos(min), nanos(max)));
        if !begins || self.until.is_none_or(|until| at < nanos(until)) {
            state.agenda.note(at, Event::Fault { fault, begins });
        }
    }

    /// A fault begins, or ends. `clients`: which machines are.
    pub(super) fn act(&mut self, state: &mut State, number: u16, begins: bool, clients: &[bool]) {
        let index = usize::from(number);
        if number == CALM {
            self.hits.fill(None);
            return state.calm();
        }
        let Some(Fault { what, every, lasting, .. }) = self.faults.get(index).cloned() else { return };
        if begins {
            self.hits[index] = self.choose(state, index, clients);
            if let Some(hit) = self.hits[index] {
                hit.strike(state, what);
            }
            self.note(state, number, lasting, false);
        } else {
            if let Some(hit) = self.hits[index].take() {
                hit.end(state, what);
            }
            self.note(state, number, every, true);
        }
    }

    fn choose(&mut self, state: &State, index: usize, clients: &[bool]) -> Option<Hit> {
        let fault = &self.faults[index];
        let is_of_two =
            !matches!(fault.what, Trouble::Crash | Trouble::Pause | Trouble::NoDescriptors | Trouble::Stall);
        let may_be_hit = |machine: u16| {
            let name = &*state.machines[usize::from(machine)].name;
            let is_named = fault.hosts.iter().any(|host| **host == *name);
            is_named || (fault.hosts.is_empty() && (is_of_two || !clients[usize::from(machine)]))
        };
        let machines: Vec<u16> = (0..state.machines.len() as u16).filter(|&machine| may_be_hit(machine)).collect();
        if machines.is_empty() || state.machines.len() < 2 {
            return None;
        }
        let rng = &mut self.rngs[index];
        let first = machines[rng.below(machines.len())];
        if !is_of_two {
            return Some(Hit(first, first));
        }
        // The other may be any: but itself.
        let others: Vec<u16> = match machines.len() {
            1 => (0..state.machines.len() as u16).filter(|&other| other != first).collect(),
            _ => machines.into_iter().filter(|&other| other != first).collect(),
        };
        Some(Hit(first, others[rng.below(others.len())]))
    }
}

impl State {
    /// Sets the clocks that nobody has set, to something within `max`.
    fn skew_clocks(&mut self, seed: u64, max: Skew) {
        if max == Skew::default() {
            return;
        }
        let drift = u64::from(max.drift.unsigned_abs());
        for (number, machine) in (0..).zip(&mut self.machines).filter(|(_, machine)| machine.skew == Skew::default()) {
            let mut rng = Rng::new(seed, CLOCKS_PURPOSE + number);
            let offset = Duration::from_nanos(between(&mut rng, 0, nanos(max.offset)));
            let faster = between(&mut rng, 0, 2 * drift) as i64 - drift as i64;
            machine.skew = Skew { offset, drift: i32::try_from(faster).unwrap_or(0).max(-999_000) };
        }
    }
}

impl Hit {
    fn strike(self, state: &mut State, what: Trouble) {
        let Self(a, b) = self;
        match what {
            Trouble::Partition => {
                state.cut(a, b);
                state.cut(b, a);
            }
            Trouble::OneWayPartition => state.cut(a, b),
            Trouble::Hold => state.set_held(a, b, true),
            Trouble::Reset => state.reset_between(a, b),
            Trouble::Crash => state.lose(a),
            Trouble::Pause => state.set_paused(a, true),
            Trouble::Stall => state.set_stalled(a, true),
            Trouble::NoDescriptors => {
                state.machine(a).is_exhausted = true;
                state.tell("no descriptors", a, a, 0);
            }
        }
    }

    fn end(self, state: &mut State, what: Trouble) {
        let Self(a, b) = self;
        match what {
            Trouble::Partition => {
                state.mend(a, b);
                state.mend(b, a);
            }
            Trouble::OneWayPartition => state.mend(a, b),
            Trouble::Hold => state.set_held(a, b, false),
            Trouble::Reset => {}
            Trouble::Crash if state.machine(a).host.is_none() => {
                state.agenda.note(state.now, Event::Boot { machine: a });
            }
            Trouble::Crash => {}
            Trouble::Pause => state.set_paused(a, false),
            Trouble::Stall => state.set_stalled(a, false),
            Trouble::NoDescriptors => state.machine(a).is_exhausted = false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swarms_differ_and_are_the_same_again() {
        let swarm = |seed| Faults::swarm(seed, Duration::from_secs(10));
        assert_eq!(swarm(7), swarm(7));
        assert_ne!(swarm(7), swarm(8));
    }

    #[test]
    fn each_kind_of_trouble_comes_up_alone_and_with_others() {
        let kinds: Vec<usize> =
            (0..2000).map(|seed| Faults::swarm(seed, Duration::from_secs(10)).faults.len()).collect();
        assert!(kinds.contains(&0) && kinds.contains(&1) && kinds.contains(&8));
    }
}
