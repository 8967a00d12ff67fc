//! Registers, what callers did to them, and whether that is linearizable: as if each operation had happened at one instant between its call and
//! its answer.
//!
//! Each key has a history of its own (Herlihy and Wing, "Linearizability", 1990: it is a local property), which stateright's tester searches for an
//! order. An operation of which nobody knows whether it has happened may have, at any time from its call on; one that was answered with *No* has not.

use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

/// How many operations of a key are looked at: the search takes exponential time where there is no order.
const LENGTH_MAX: usize = 24;

/// How many of those may be unknown.
const UNKNOWN_MAX: usize = 6;

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
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Register(u32);

impl SequentialSpec for Register {
    type Op = Op;
    type Ret = Answer;

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
    caller: u64,
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

    /// A caller, which does one thing at a time, is about to do that. The operation's number.
    pub(crate) fn call(&mut self, key: usize, caller: u64, op: Op) -> usize {
        let key = &mut self.keys[key];
        key.operations.push(Operation { caller, op, outcome: Outcome::Unknown });
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
        let mut tester = LinearizabilityTester::new(Register::default());
        let (mut length, mut unknown) = (0, 0);
        for event in &self.events {
            match *event {
                Event::Call(number) => {
                    let Operation { caller, op, outcome } = self.operations[number];
                    match outcome {
                        Outcome::Never => continue,
                        Outcome::Unknown if op == Op::Read => continue,
                        Outcome::Unknown => unknown += 1,
                        Outcome::Answered(_) => length += 1,
                    }
                    // The beginning of a linearizable history is one.
                    if length > LENGTH_MAX || unknown > UNKNOWN_MAX {
                        break;
                    }
                    // Who does not know has gone on: to the tester it is somebody else's, for ever. Such come last there, to be tried last.
                    let thread = if outcome == Outcome::Unknown { (1 << 32) + number as u64 } else { caller };
                    tester.on_invoke(thread, op).expect("a caller does one thing at a time");
                }
                Event::End(number) => {
                    let Operation { caller, outcome, .. } = self.operations[number];
                    if let Outcome::Answered(answer) = outcome {
                        tester.on_return(caller, answer).expect("its call comes before");
                    }
                }
            }
        }
        tester.is_consistent()
    }
}
