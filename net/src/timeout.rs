//! A socket's timeout, which may be changed while it is used, in four bytes: every socket has two.
//!
//! It is so many nanoseconds, microseconds, milliseconds or seconds, by the finest of these units in which their number has 30 bits. What that
//! cannot say exactly (more than a second, and nanoseconds) becomes longer by less than a millionth. Zero stands for none.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const COUNT_BITS: u32 = 30;
const COUNT_MAX: u32 = (1 << COUNT_BITS) - 1;

/// In nanoseconds.
const UNITS: [u128; 4] = [1, 1_000, 1_000_000, 1_000_000_000];

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Timeout(AtomicU32);

impl Timeout {
    pub(crate) fn get(&self) -> Option<Duration> {
        let word = self.0.load(Ordering::Relaxed);
        let count = u64::from(word & COUNT_MAX);
        match (word, word >> COUNT_BITS) {
            (0, _) => None,
            (_, 0) => Some(Duration::from_nanos(count)),
            (_, 1) => Some(Duration::from_micros(count)),
            (_, 2) => Some(Duration::from_millis(count)),
            _ => Some(Duration::from_secs(count)),
        }
    }

    /// # Errors
    ///
    /// `InvalidInput` for zero, as std.
    pub(crate) fn set(&self, timeout: Option<Duration>) -> io::Result<()> {
        let word = match timeout {
            Some(Duration::ZERO) => return Err(zero_timeout()),
            Some(timeout) => encode(timeout),
            None => 0,
        };
        self.0.store(word, Ordering::Relaxed);
        Ok(())
    }
}

fn encode(timeout: Duration) -> u32 {
    let in_units = (0..).zip(UNITS).find_map(|(unit, nanos)| {
        let count = u32::try_from(timeout.as_nanos().div_ceil(nanos)).ok().filter(|&count| count <= COUNT_MAX)?;
        Some(unit << COUNT_BITS | count)
    });
    // Longer than 34 years is 34 years.
    in_units.unwrap_or(u32::MAX)
}

/// std refuses a timeout of zero, because for the kernel it would mean none.
pub(crate) fn zero_timeout() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "cannot set a 0 duration timeout")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_read_back_as_it_was_set() -> io::Result<()> {
        let timeout = Timeout::default();
        assert_eq!(timeout.get(), None);
        let exact = [
            Duration::from_nanos(1),
            Duration::from_nanos(1_073_741_823),
            Duration::from_micros(1_073_741_823),
            Duration::from_millis(30_001),
            Duration::from_millis(1_073_741_823),
            Duration::from_secs(3600),
            Duration::from_secs(1_073_741_823),
        ];
        for set in exact.map(Some).into_iter().chain([None]) {
            timeout.set(set)?;
            assert_eq!(timeout.get(), set);
        }
        Ok(())
    }

    #[test]
    fn what_cannot_be_said_exactly_becomes_a_little_longer() -> io::Result<()> {
        let timeout = Timeout::default();
        for set in [Duration::new(2, 1), Duration::new(5_000, 999_999_999), Duration::new(2_000_000, 1_000)] {
            timeout.set(Some(set))?;
            let got = timeout.get().expect("one is set");
            assert!(set < got && got - set <= set / 1_000_000, "{got:?} for {set:?}");
        }
        timeout.set(Some(Duration::MAX))?;
        assert_eq!(timeout.get(), Some(Duration::from_secs(u64::from(COUNT_MAX))));
        Ok(())
    }

    #[test]
    fn a_zero_timeout_is_refused_and_changes_nothing() -> io::Result<()> {
        let timeout = Timeout::default();
        timeout.set(Some(Duration::from_secs(1)))?;
        let refused = timeout.set(Some(Duration::ZERO)).map_err(|error| error.kind());
        assert_eq!(refused, Err(io::ErrorKind::InvalidInput));
        assert_eq!(timeout.get(), Some(Duration::from_secs(1)));
        Ok(())
    }
}
