//! A hash of what a call does, by which a server tells that an xid has come again with another call.
//!
//! It guards against a client's mistake, not against its malice: whoever has two calls with one fingerprint fools only himself. So it is
//! the cheapest one that mixes every bit: a multiplication for eight bytes, folded (as in wyhash, Wang Yi).

const FACTORS: [u64; 2] = [0x9E37_79B9_7F4A_7C15, 0xD6E8_FEB8_6659_FD93];

/// The fingerprint of a call.
pub fn fingerprint(method: &[u8], args: &[u8]) -> u64 {
    of_call(hash(method), args)
}

/// The same, of a method whose name has this [`hash`].
#[inline]
pub(crate) fn of_call(method: u64, args: &[u8]) -> u64 {
    mix(method, args)
}

/// The hash of a name.
#[inline]
pub(crate) fn hash(name: &[u8]) -> u64 {
    mix(FACTORS[0], name)
}

/// The length goes in first, so that no byte can pass from one piece to the next unnoticed.
#[inline]
fn mix(seed: u64, bytes: &[u8]) -> u64 {
    let seeded = seed ^ (bytes.len() as u64).wrapping_mul(FACTORS[1]);
    let (chunks, rest) = bytes.as_chunks::<8>();
    let mixed = chunks.iter().fold(seeded, |hash, chunk| fold(hash ^ u64::from_le_bytes(*chunk), FACTORS[0]));
    fold(mixed ^ last(bytes, rest), FACTORS[1])
}

/// What the chunks of eight have left over: the last eight bytes if there are so many, else all.
#[inline]
fn last(bytes: &[u8], rest: &[u8]) -> u64 {
    if let Some(last) = bytes.last_chunk::<8>() {
        return u64::from_le_bytes(*last);
    }
    match (rest.first_chunk::<4>(), rest.last_chunk::<4>()) {
        (Some(first), Some(last)) => u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last)),
        _ => short(rest),
    }
}

/// All of at most three bytes, without asking how many: some of them twice.
#[inline]
fn short(bytes: &[u8]) -> u64 {
    match (bytes.first(), bytes.get(bytes.len() / 2), bytes.last()) {
        (Some(&first), Some(&middle), Some(&last)) => u64::from(first) << 16 | u64::from(middle) << 8 | u64::from(last),
        _ => 0,
    }
}

#[inline]
fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    (product >> 64) as u64 ^ product as u64
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::fingerprint;

    proptest! {
        #[test]
        fn another_byte_is_another_fingerprint(
            method in vec(any::<u8>(), 1..20),
            args in vec(any::<u8>(), 1..40),
            at in any::<prop::sample::Index>(),
            bit in 0..8_u32,
        ) {
            let before = fingerprint(&method, &args);
            let mut changed = [method.clone(), args.clone()].concat();
            changed[at.index(method.len() + args.len())] ^= 1_u8 << bit;
            let (other_method, other_args) = changed.split_at(method.len());
            prop_assert_ne!(fingerprint(other_method, other_args), before);
            prop_assert_eq!(fingerprint(&method, &args), before);
        }

        #[test]
        fn where_the_method_ends_matters(bytes in vec(any::<u8>(), 2..40), at in any::<prop::sample::Index>()) {
            let at = at.index(bytes.len() - 1);
            let (one, other) = (bytes.split_at(at), bytes.split_at(at + 1));
            prop_assert_ne!(fingerprint(one.0, one.1), fingerprint(other.0, other.1));
        }
    }
}
