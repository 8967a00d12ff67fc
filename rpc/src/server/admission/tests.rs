//! A worker with its line of connections, on virtual time: calls come at any rate, and what is answered in time is counted.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use fibra_scheduler::clock;
use proptest::prelude::*;

use super::{Admission, Late, Line};
use crate::limits::QUEUE_DELAY_MAX;

/// What the calls are like.
#[derive(Clone, Copy, Debug)]
struct Load {
    connections: usize,
    /// What a call takes to run, ...
    cost: Duration,
    /// ... to be refused, ...
    refusal: Duration,
    /// ... and until nobody waits any more.
    timeout: Duration,
}

/// Arrivals from then on: that many times what can be served.
type Phase = (Duration, f64);

#[derive(Debug, Default)]
struct Counts {
    answered: u32,
    refused: u32,
}

struct Sim {
    load: Load,
    controlled: bool,
    start: Instant,
    now: Instant,
    seed: u64,
    next_arrival: Instant,
    inboxes: Vec<VecDeque<Instant>>,
    in_line: VecDeque<Option<usize>>,
    read_at: Vec<Instant>,
    line: Line,
    admission: Admission,
    /// Counts of each millisecond.
    counts: Vec<Counts>,
}

impl Sim {
    fn run(load: Load, controlled: bool, seed: u64, phases: &[Phase], end: Duration) -> Self {
        let start = clock::now();
        let mut sim = Self {
            load,
            controlled,
            start,
            now: start,
            seed: seed | 1,
            next_arrival: start,
            inboxes: vec![VecDeque::new(); load.connections],
            in_line: VecDeque::new(),
            read_at: vec![start; load.connections],
            line: Line::default(),
            admission: Admission::new(QUEUE_DELAY_MAX),
            counts: Vec::new(),
        };
        sim.counts.resize_with(end.as_millis() as usize + 1, Counts::default);
        while sim.now < start + end {
            sim.arrivals(phases);
            match sim.in_line.pop_front() {
                Some(None) => {
                    let now = sim.now;
                    if sim.line.passes(|| now) {
                        sim.in_line.push_back(None);
                    }
                }
                Some(Some(connection)) => sim.turn(connection, phases),
                None => sim.now = sim.next_arrival,
            }
        }
        sim
    }

    fn random(&mut self) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed
    }

    fn arrivals(&mut self, phases: &[Phase]) {
        while self.next_arrival <= self.now {
            let connection = (self.random() % self.load.connections as u64) as usize;
            let at = self.next_arrival;
            let inbox = &mut self.inboxes[connection];
            if inbox.is_empty() {
                self.in_line.push_back(Some(connection));
            }
            // Beyond this its client waits with more, and they expire there.
            if inbox.len() < 1_024 {
                inbox.push_back(at);
            }
            let phase = phases.iter().rev().find(|(from, _)| *from <= at - self.start);
            let rate = phase.map_or(0.01, |(_, rate)| *rate);
            // Half to one and a half times the mean.
            let share = 0.5 + (self.random() % 1000) as f64 / 1000.0;
            self.next_arrival += self.load.cost.mul_f64(share / rate);
        }
    }

    fn turn(&mut self, connection: usize, phases: &[Phase]) {
        let (stood, puts) = self.line.begins();
        if puts {
            self.in_line.push_back(None);
        }
        let read_at = self.now;
        let last_read_at = std::mem::replace(&mut self.read_at[connection], read_at);
        let mut calls = std::mem::take(&mut self.inboxes[connection]);
        // As much as is read at once.
        let rest = calls.split_off(calls.len().min(250));
        self.inboxes[connection] = rest;
        for came_at in calls {
            let deadline = read_at + self.load.timeout;
            let came_after = stood.after.map_or(read_at, |after| after.max(last_read_at));
            let waited = self.now - came_after;
            let left = deadline.saturating_duration_since(self.now);
            let late = Late {
                now: self.now,
                waited,
                timeout: self.load.timeout,
                empty_at: stood.empty_at.unwrap_or(read_at),
                left: Some(left),
            };
            let runs =
                !left.is_zero() && (!self.controlled || waited <= QUEUE_DELAY_MAX || self.admission.admits(late));
            self.now += if runs { self.load.cost } else { self.load.refusal };
            let place = (self.now - self.start).as_millis() as usize;
            if let Some(counts) = self.counts.get_mut(place) {
                counts.answered += u32::from(runs && self.now <= came_at + self.load.timeout);
                counts.refused += u32::from(!runs);
            }
            // What comes meanwhile gets in line.
            self.arrivals_but(connection, phases);
        }
        let more = !self.inboxes[connection].is_empty();
        if more {
            self.in_line.push_back(Some(connection));
        }
        self.line.ended(read_at, more);
    }

    /// The connection whose turn it is gets in line when the turn ends.
    fn arrivals_but(&mut self, connection: usize, phases: &[Phase]) {
        let before = self.in_line.len();
        self.arrivals(phases);
        let mut place = before;
        while place < self.in_line.len() {
            if self.in_line[place] == Some(connection) {
                self.in_line.remove(place);
            } else {
                place += 1;
            }
        }
    }

    /// How much of what can be served in these milliseconds was answered in time.
    fn goodput(&self, from: usize, to: usize) -> f64 {
        let answered: u32 = self.counts[from..to].iter().map(|counts| counts.answered).sum();
        f64::from(answered) * self.load.cost.as_secs_f64() / ((to - from) as f64 / 1000.0)
    }

    fn refused(&self, from: usize, to: usize) -> u32 {
        self.counts[from..to].iter().map(|counts| counts.refused).sum()
    }
}

fn load() -> impl Strategy<Value = Load> {
    (1..300_usize, 300..3_000_u64, 1_000..4_000_u64, 80..1_000_u64).prop_map(|(connections, cost, refusal, timeout)| {
        Load {
            connections,
            cost: Duration::from_micros(cost),
            refusal: Duration::from_nanos(refusal),
            timeout: Duration::from_millis(timeout),
        }
    })
}

const SECOND: Duration = Duration::from_secs(1);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn goodput_stays_at_ten_times_what_can_be_served(load in load(), seed in any::<u64>(), times in 1.5..10.0_f64) {
        let sim = Sim::run(load, true, seed, &[(Duration::ZERO, times)], 5 * SECOND);
        let goodput = sim.goodput(500, 5_000);
        // To refuse takes its time, however it is decided.
        let refusing = load.refusal.mul_f64(times - 1.0).div_duration_f64(load.cost);
        prop_assert!(goodput >= 0.95 / (1.0 + refusing), "{goodput} while refusing takes {refusing}");
    }

    /// Of calls that take up to a millisecond, and are waited for for up to 200: how long they may wait is how long it takes to be done with them.
    #[test]
    fn nothing_is_refused_twenty_milliseconds_after_the_load_has_ended(load in load(), seed in any::<u64>()) {
        let load = Load {
            cost: load.cost.min(Duration::from_millis(1)),
            timeout: load.timeout.min(Duration::from_millis(200)),
            ..load
         };
        let phases = [(Duration::ZERO, 10.0), (SECOND, 0.5)];
        let sim = Sim::run(load, true, seed, &phases, 2 * SECOND);
        prop_assert_eq!(sim.refused(1_020, 2_000), 0);
        let goodput = sim.goodput(1_020, 2_000);
        prop_assert!(goodput >= 0.45, "{goodput}");
    }

    #[test]
    fn a_server_that_keeps_up_refuses_nothing(load in load(), seed in any::<u64>()) {
        let sim = Sim::run(load, true, seed, &[(Duration::ZERO, 0.8)], 3 * SECOND);
        prop_assert_eq!(sim.refused(0, 3_000), 0);
    }
}

/// What this is for.
#[test]
fn without_it_goodput_collapses() {
    let load = Load {
        connections: 64,
        cost: Duration::from_millis(1),
        refusal: Duration::from_micros(2),
        timeout: Duration::from_millis(100),
    };
    let phases = [(Duration::ZERO, 10.0)];
    let without = Sim::run(load, false, 1, &phases, 5 * SECOND).goodput(500, 5_000);
    let with = Sim::run(load, true, 1, &phases, 5 * SECOND).goodput(500, 5_000);
    assert!(without < 0.5 && with > 0.95, "{without} without, {with} with");
}
