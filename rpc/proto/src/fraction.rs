//! What timestamps and durations have in common: fractions of a second as text, ranges, and their errors.

use std::fmt::{self, Write};

pub(crate) const NANOS_PER_SECOND: u32 = 1_000_000_000;

/// A text that is not what its type is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable {
    pub(crate) expected: &'static str,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not {}", self.expected)
    }
}

impl std::error::Error for Unreadable {}

/// A value that its well-known type does not allow, or that the type it is turned into does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange {
    pub(crate) range: &'static str,
}

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "out of range: {}", self.range)
    }
}

impl std::error::Error for OutOfRange {}

/// `.250`: with 3, 6 or 9 digits, and nothing for none, as proto3's JSON mapping has it.
pub(crate) fn write_nanos(f: &mut fmt::Formatter<'_>, nanos: u32) -> fmt::Result {
    if nanos == 0 {
        return Ok(());
    }
    f.write_char('.')?;
    if nanos.is_multiple_of(1_000_000) {
        write!(f, "{:03}", nanos / 1_000_000)
    } else if nanos.is_multiple_of(1_000) {
        write!(f, "{:06}", nanos / 1_000)
    } else {
        write!(f, "{nanos:09}")
    }
}

/// The nanoseconds of a fraction's digits, of which there are one to nine.
pub(crate) fn read_nanos(digits: &str) -> Option<u32> {
    let places = u32::try_from(digits.len()).ok().filter(|places| (1..=9).contains(places))?;
    Some(u32::try_from(read_digits(digits)?).ok()? * 10_u32.pow(9 - places))
}

/// A number without a sign.
pub(crate) fn read_digits(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}
