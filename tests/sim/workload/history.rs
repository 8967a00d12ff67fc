//! Registers, what callers did to them, and whether that is linearizable: as if each operation had happened at one instant between its call and
//! its answer.
//!
//! Each key has a history of its own (Herlihy and Wing, "Linearizability", 1990: it is a local property), which `search` looks for an order of. An
//! operation of which nobody knows whether it has happened may have, at any time from its call on; one that was answered with *No* has not.

mod search;

use search::Interval;

pub(crate) const KEYS: usize = 3;

/// What is done to a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Read,
    Write(u32),
    /// From this to that.
    Swap(u32, u32),
}

/// What it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Value(u32),
    Written,
    Swapped(bool),
}

/// A register as it is meant to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Register(u32);

impl Register {
    fn invoke(&mut self, op: &Op) -> Answer {
        match *op {
            Op::Read => Answer::Value(self.0),
            Op::Write(value) => {
                self.0 = value;
                Answer::Written
            }
            Op::Swap(from, to) => {
                let is_swapped = self.0 == from;
                if is_swapped {
                    self.0 = to;
                }
                Answer::Swapped(is_swapped)
            }
        }
    }
}

/// What came of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Unknown,
    Never,
    Answered(Answer),
}

#[derive(Clone, Copy, Debug)]
struct Operation {
    op: Op,
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Call(usize),
    End(usize),
}

#[derive(Debug, Default)]
struct Key {
    register: Register,
    operations: Vec<Operation>,
    events: Vec<Event>,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct History {
    keys: [Key; KEYS],
    values: u32,
}

impl History {
    /// A value that nobody else writes.
    pub(crate) fn value(&mut self) -> u32 {
        self.values += 1;
        self.values
    }

    /// What is there now; for an expectation that may hold.
    pub(crate) fn peek(&self, key: usize) -> u32 {
        self.keys[key].register.0
    }

    /// Somebody is about to do that. The operation's number.
    pub(crate) fn call(&mut self, key: usize, op: Op) -> usize {
        let key = &mut self.keys[key];
        key.operations.push(Operation { op, outcome: Outcome::Unknown });
        key.events.push(Event::Call(key.operations.len() - 1));
        key.operations.len() - 1
    }

    /// A caller knows what came of it.
    pub(crate) fn end(&mut self, key: usize, number: usize, outcome: Outcome) {
        let key = &mut self.keys[key];
        key.operations[number].outcome = outcome;
        key.events.push(Event::End(number));
    }

    /// A handler does it.
    pub(crate) fn apply(&mut self, key: usize, op: Op) -> Answer {
        self.keys[key].register.invoke(&op)
    }

    /// Whether there is an order that explains it all.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.keys.iter().enumerate().try_for_each(|(number, key)| {
            if key.is_linearizable() { Ok(()) } else { Err(format!("register {number} is not linearizable: {key:?}")) }
        })
    }
}

impl Key {
    fn is_linearizable(&self) -> bool {
        search::is_linearizable(&self.beginning())
    }

    /// As much of it as is looked at: the beginning of a linearizable history is one.
    fn beginning(&self) -> Vec<Interval> {
        let mut intervals = Vec::new();
        let mut places = vec![None; self.operations.len()];
        for (at, event) in self.events.iter().enumerate() {
            match *event {
                Event::Call(number) => {
                    let Operation { op, outcome, .. } = self.operations[number];
                    if outcome == Outcome::Never || (outcome == Outcome::Unknown && op == Op::Read) {
                        continue;
                    }
                    if intervals.len() == search::LENGTH_MAX {
                        break;
                    }
                    places[number] = Some(intervals.len());
                    intervals.push(Interval { op, called: at, answered: None });
                }
                Event::End(number) => {
                    if let (Some(place), Outcome::Answered(answer)) = (places[number], self.operations[number].outcome)
                    {
                        intervals[place].answered = Some((at, answer));
                    }
                }
            }
        }
        intervals
    }
}
