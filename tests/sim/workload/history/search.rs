//! The search for an order that explains a register's history: Wing and Gong's ("Testing and Verifying Concurrent Objects", 1993), which remembers where
//! it has been (Lowe, "Testing for linearizability", 2017).
//!
//! Whatever has been ordered so far, what may still come depends only on which operations those are and on what the register holds then. So nothing
//! is tried twice, and histories on which a search without memory takes for ever, as stateright's does where dozens of callers overlap, take
//! no time.

use std::collections::HashSet;

use super::{Answer, Op, Register};

/// How many operations of a key are looked at.
pub(super) const LENGTH_MAX: usize = 48;

/// After so many states it gives up, and finds nothing wrong.
const STATES_MAX: usize = 30_000;

/// An operation from its call to its answer; without one it may have happened at any time behind its call, or not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interval {
    pub(super) op: Op,
    pub(super) called: usize,
    pub(super) answered: Option<(usize, Answer)>,
}

/// Whether there is an order, or it is too much to find out.
pub(super) fn is_linearizable(history: &[Interval]) -> bool {
    assert!(history.len() <= LENGTH_MAX);
    let mut search = Search { history, seen: HashSet::new() };
    search.goes_on(0, Register::default())
}

struct Search<'a> {
    history: &'a [Interval],
    seen: HashSet<(u64, Register)>,
}

impl Search<'_> {
    /// Whether all that has been answered can be put behind what is `done`, after which the register is as it is.
    fn goes_on(&mut self, done: u64, register: Register) -> bool {
        if !self.seen.insert((done, register)) {
            return false;
        }
        let left = || (0..).zip(self.history).filter(|(place, _)| done & (1_u64 << place) == 0);
        // Who is called behind this has to wait for whoever is answered then.
        let Some(first_answer) = left().filter_map(|(_, it)| Some(it.answered?.0)).min() else { return true };
        if self.seen.len() > STATES_MAX {
            return true;
        }
        // Most happen in the order of their answers, and those without one are seldom needed.
        let mut next: Vec<_> = left().filter(|(_, it)| it.called < first_answer).collect();
        next.sort_by_key(|(_, it)| it.answered.map_or(usize::MAX, |(at, _)| at));
        next.into_iter().any(|(place, it)| {
            let mut register = register;
            let answer = register.invoke(&it.op);
            it.answered.is_none_or(|(_, answered)| answered == answer) && self.goes_on(done | (1 << place), register)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use fibra::seeded::Rng;
    use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

    use super::*;

    impl SequentialSpec for Register {
        type Op = Op;
        type Ret = Answer;

        fn invoke(&mut self, op: &Op) -> Answer {
            Register::invoke(self, op)
        }
    }

    /// What stateright's tester says.
    fn stateright(history: &[Interval]) -> bool {
        let mut tester = LinearizabilityTester::new(Register::default());
        let ends = history.iter().enumerate().filter_map(|(place, it)| Some((it.answered?.0, place, it.answered)));
        let calls = history.iter().enumerate().map(|(place, it)| (it.called, place, None));
        let events: BTreeSet<_> =
            ends.chain(calls).map(|(at, place, answered)| (at, place, answered.is_some())).collect();
        for (_, place, is_end) in events {
            match history[place].answered.filter(|_| is_end) {
                Some((_, answer)) => tester.on_return(place, answer).expect("its call comes before"),
                None => tester.on_invoke(place, history[place].op).expect("each has a thread of its own"),
            };
        }
        tester.is_consistent()
    }

    /// Operations that overlap at random, with answers that are as often wrong as right.
    fn history(rng: &mut Rng) -> Vec<Interval> {
        let mut register = Register::default();
        let mut interval = |number: usize, rng: &mut Rng| {
            let op = match rng.below(3) {
                0 => Op::Read,
                1 => Op::Write(rng.below(3) as u32),
                _ => Op::Swap(rng.below(3) as u32, rng.below(3) as u32),
            };
            let answer = match (rng.below(8), op) {
                (0, Op::Read) => Answer::Value(rng.below(3) as u32),
                (0, Op::Swap(..)) => Answer::Swapped(rng.below(2) == 0),
                _ => register.invoke(&op),
            };
            let called = 200 * number + rng.below(100) * 2;
            let answered = (rng.below(6) > 0).then(|| (called + 1 + 2 * rng.below(500), answer));
            Interval { op, called, answered }
        };
        (0..6).map(|number| interval(number, rng)).collect()
    }

    #[test]
    fn it_says_what_stateright_says() {
        let mut rng = Rng::new(7, 0);
        let mut verdicts = [0; 2];
        for _ in 0..1_000 {
            let history = history(&mut rng);
            let verdict = is_linearizable(&history);
            assert_eq!(verdict, stateright(&history), "{history:?}");
            verdicts[usize::from(verdict)] += 1;
        }
        assert!(verdicts.iter().all(|&times| times > 100), "{verdicts:?}");
    }

    #[test]
    fn many_that_overlap_take_no_time() {
        let write = |number: usize| Interval {
            op: Op::Write(number as u32),
            called: number,
            answered: Some((100 + number, Answer::Written)),
        };
        let read = |value| Interval { op: Op::Read, called: 99, answered: Some((200, Answer::Value(value))) };
        let history = |writes, value| (1..=writes).map(write).chain([read(value)]).collect::<Vec<_>>();
        assert!(is_linearizable(&history(LENGTH_MAX - 1, LENGTH_MAX as u32 - 1)));
        assert!((1..=10).all(|value| is_linearizable(&history(10, value))));
        assert!(!is_linearizable(&history(10, 11)));
    }
}
