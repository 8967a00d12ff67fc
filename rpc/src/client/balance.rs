//! Which endpoint a call goes to: of two drawn at random, the one with fewer calls under way.
//!
//! The power of two choices (Mitzenmacher, IEEE TPDS 12(10), 2001): nearly as even as looking at all of them, and unlike that, callers who look at
//! the same time do not all find the same one.

/// As many endpoints as a channel may have.
pub(super) const ENDPOINTS_MAX: usize = 64;

/// Chooses among the endpoints whose bit is set in `usable`; `avoid` only if there is no other. `None`: there is none.
pub(super) fn choose(usable: u64, avoid: Option<usize>, load: impl Fn(usize) -> usize, bits: u64) -> Option<usize> {
    let others = avoid.map_or(usable, |avoid| usable & !(1 << avoid));
    let usable = if others == 0 { usable } else { others };
    let count = u64::from(usable.count_ones());
    // The upper half of the product: even enough for so few.
    let draw = |bits: u64, below: u64| ((bits & u64::from(u32::MAX)) * below) >> 32;
    match count {
        0 => None,
        1 => nth(usable, 0),
        _ => {
            let first = draw(bits, count);
            // Another one.
            let second = (first + 1 + draw(bits >> 32, count - 1)) % count;
            let (first, second) = (nth(usable, first)?, nth(usable, second)?);
            Some(if load(second) < load(first) { second } else { first })
        }
    }
}

/// The place of the n-th set bit.
fn nth(mut set: u64, n: u64) -> Option<usize> {
    for _ in 0..n {
        set &= set.checked_sub(1)?;
    }
    (set != 0).then(|| set.trailing_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_one_that_may_be_used(usable in any::<u64>(), avoid in proptest::option::of(0..ENDPOINTS_MAX), bits in any::<u64>()) {
            match choose(usable, avoid, |_| 0, bits) {
                None => prop_assert_eq!(usable, 0),
                Some(chosen) => {
                    prop_assert!(usable & (1 << chosen) != 0);
                    prop_assert!(Some(chosen) != avoid || usable.count_ones() == 1);
                }
            }
        }

        #[test]
        fn the_most_loaded_of_several_is_never_taken(usable in any::<u64>(), most in 0..ENDPOINTS_MAX, bits in any::<u64>()) {
            let usable = usable | (1 << most);
            let chosen = choose(usable, None, |place| usize::from(place == most), bits);
            prop_assert!(chosen != Some(most) || usable.count_ones() == 1);
        }
    }

    #[test]
    fn all_get_their_share() {
        let mut load = [0; 8];
        let mut bits = 1_u64;
        for _ in 0..80_000 {
            bits = bits.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
            let mixed = (bits ^ (bits >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
            let chosen = choose(0xFF, None, |place| load[place], mixed ^ (mixed >> 29)).expect("there are eight");
            load[chosen] += 1;
        }
        assert!(load.iter().all(|&load| (9_900..10_100).contains(&load)), "{load:?}");
    }
}
