//! Cycles in who waits for whom. Each fiber waits for at most one other, so each is on at most one cycle, and following the
//! waits from anywhere finds it.

use std::collections::{HashMap, HashSet};

use crate::FiberId;

/// The cycles, each from its lowest number on, in ascending order of these.
pub(super) fn cycles(waits: HashMap<FiberId, FiberId>) -> Vec<Vec<FiberId>> {
    let mut seen = HashSet::new();
    let mut cycles = Vec::new();
    for &start in waits.keys() {
        let mut path = Vec::new();
        let mut next = Some(start);
        while let Some(fiber) = next.filter(|&fiber| seen.insert(fiber)) {
            path.push(fiber);
            next = waits.get(&fiber).copied();
        }
        // Back on this very path: what lies behind that point is a cycle. Elsewhere: it was followed before.
        if let Some(from) = next.and_then(|fiber| path.iter().position(|&passed| passed == fiber)) {
            let mut cycle = path.split_off(from);
            let lowest = cycle.iter().enumerate().min_by_key(|&(_, fiber)| fiber).map_or(0, |(index, _)| index);
            cycle.rotate_left(lowest);
            cycles.push(cycle);
        }
    }
    cycles.sort();
    cycles
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(waits: &[(u64, u64)]) -> Vec<Vec<u64>> {
        let id = |number| FiberId::from_u64(number).expect("not zero");
        let found = cycles(waits.iter().map(|&(from, to)| (id(from), id(to))).collect());
        found.iter().map(|cycle| cycle.iter().map(|fiber| fiber.as_u64()).collect()).collect()
    }

    #[test]
    fn a_chain_is_no_cycle() {
        assert!(found(&[(1, 2), (2, 3), (4, 2)]).is_empty());
    }

    #[test]
    fn who_waits_for_itself_is_a_cycle_of_one() {
        assert_eq!(found(&[(3, 3)]), [[3]]);
    }

    #[test]
    fn each_cycle_is_found_once_whatever_leads_to_it() {
        assert_eq!(found(&[(5, 2), (2, 9), (9, 5), (1, 5), (7, 1), (11, 12), (12, 11)]), [vec![2, 9, 5], vec![11, 12]]);
    }
}
