//! `google.protobuf.Duration`: a length of time, as seconds with a fraction.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{self, Serialize, Serializer};

use crate::fraction::{NANOS_PER_SECOND, OutOfRange, Unreadable, read_digits, read_nanos, write_nanos};

const SECONDS_MAX: i64 = 315_576_000_000; // 10,000 years
const RANGE: OutOfRange = OutOfRange {
    range: "a duration is of 10,000 years at most, its nanoseconds of less than a second and of its sign",
};
const UNREADABLE: Unreadable = Unreadable { expected: "a duration in seconds, such as 1.5s" };

/// A length of time of up to 10,000 years, forward or back.
///
/// As text and in serde's formats it is its seconds: `1.500s`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Message)]
pub struct Duration {
    /// Whole seconds, of either sign.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// -999,999,999 to 999,999,999, of the sign that the seconds have.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

impl Duration {
    /// Itself, if it is one that its type allows.
    fn checked(self) -> Result<Self, OutOfRange> {
        let signs_agree = self.seconds.signum() * i64::from(self.nanos.signum()) >= 0;
        let is_in_range =
            self.seconds.unsigned_abs() <= SECONDS_MAX.unsigned_abs() && self.nanos.unsigned_abs() < NANOS_PER_SECOND;
        if signs_agree && is_in_range { Ok(self) } else { Err(RANGE) }
    }
}

/// Seconds. What is out of range is shown as its numbers.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.checked().is_err() {
            return write!(f, "{} s and {} ns", self.seconds, self.nanos);
        }
        if self.seconds < 0 || self.nanos < 0 {
            f.write_str("-")?;
        }
        write!(f, "{}", self.seconds.unsigned_abs())?;
        write_nanos(f, self.nanos.unsigned_abs())?;
        f.write_str("s")
    }
}

impl FromStr for Duration {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        parse(text).and_then(|duration| duration.checked().ok()).ok_or(UNREADABLE)
    }
}

fn parse(text: &str) -> Option<Duration> {
    let text = text.strip_suffix('s')?;
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |text| (-1, text));
    let (seconds, nanos) = match text.split_once('.') {
        None => (text, 0),
        Some((seconds, fraction)) => (seconds, read_nanos(fraction)?),
    };
    let seconds = i64::try_from(read_digits(seconds)?).ok()?;
    Some(Duration { seconds: sign * seconds, nanos: sign as i32 * i32::try_from(nanos).ok()? })
}

impl TryFrom<std::time::Duration> for Duration {
    type Error = OutOfRange;

    /// # Errors
    ///
    /// [`OutOfRange`]: more than 10,000 years.
    fn try_from(duration: std::time::Duration) -> Result<Self, OutOfRange> {
        let seconds = i64::try_from(duration.as_secs()).map_err(|_| RANGE)?;
        Self { seconds, nanos: duration.subsec_nanos() as i32 }.checked()
    }
}

impl TryFrom<Duration> for std::time::Duration {
    type Error = OutOfRange;

    /// # Errors
    ///
    /// [`OutOfRange`]: it goes back, or is none that its type allows.
    fn try_from(duration: Duration) -> Result<Self, OutOfRange> {
        let Duration { seconds, nanos } = duration.checked()?;
        match (u64::try_from(seconds), u32::try_from(nanos)) {
            (Ok(seconds), Ok(nanos)) => Ok(Self::new(seconds, nanos)),
            _ => Err(OutOfRange { range: "std's durations do not go back" }),
        }
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.checked().map_err(ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_duration_is_written_in_seconds() {
        for (seconds, nanos, text) in [
            (0, 0, "0s"),
            (1, 500_000_000, "1.500s"),
            (-1, -500_000, "-1.000500s"),
            (0, -1, "-0.000000001s"),
            (SECONDS_MAX, 0, "315576000000s"),
        ] {
            let duration = Duration { seconds, nanos };
            assert_eq!(duration.to_string(), text);
            assert_eq!(text.parse(), Ok(duration));
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "s",
            "1",
            "1.s",
            ".5s",
            "1.0000000001s",
            "+1s",
            "--1s",
            "1e3s",
            "315576000001s",
            "99999999999999999999s",
        ] {
            assert_eq!(text.parse::<Duration>(), Err(UNREADABLE), "{text}");
        }
        assert!(serde_json::to_string(&Duration { seconds: 1, nanos: -1 }).is_err());
    }

    #[test]
    fn stds_durations_do_not_go_back() {
        assert!(std::time::Duration::try_from(Duration { seconds: 0, nanos: -1 }).is_err());
        assert!(Duration::try_from(std::time::Duration::MAX).is_err());
    }

    proptest! {
        #[test]
        fn text_and_std_give_back_what_they_got(seconds in 0..=SECONDS_MAX, nanos in 0..1_000_000_000_i32, back: bool) {
            let sign = if back { -1 } else { 1 };
            let duration = Duration { seconds: sign * seconds, nanos: sign as i32 * nanos };
            prop_assume!(duration.checked().is_ok());
            prop_assert_eq!(duration.to_string().parse(), Ok(duration));
            if let Ok(std) = std::time::Duration::try_from(duration) {
                prop_assert_eq!(Duration::try_from(std), Ok(duration));
            }
        }
    }
}
