//! `google.protobuf.Timestamp`: a point in time, as RFC 3339 writes it.
//!
//! Days are counted as in "chrono-Compatible Low-Level Date Algorithms" by Howard Hinnant: years begin in March, so that the leap day is a year's last.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{self, Serialize, Serializer};

use crate::fraction::{NANOS_PER_SECOND, OutOfRange, Unreadable, read_digits, read_nanos, write_nanos};

const SECONDS_MIN: i64 = -62_135_596_800; // 0001-01-01T00:00:00Z
const SECONDS_MAX: i64 = 253_402_300_799; // 9999-12-31T23:59:59Z
const SECONDS_PER_DAY: i64 = 86_400;
const RANGE: OutOfRange =
    OutOfRange { range: "a timestamp is from year 1 to 9999, with less than a second of nanoseconds" };
const UNREADABLE: Unreadable = Unreadable { expected: "an RFC 3339 timestamp, such as 2038-01-19T03:14:07Z" };

/// A point in time, from year 1 to year 9999: seconds since 1970, and nanoseconds that count forward.
///
/// As text and in serde's formats it is RFC 3339's, in UTC; with another offset it is understood.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Message)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// 0 to 999,999,999, before 1970 too.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

impl Timestamp {
    /// Itself, if it is one that its type allows.
    fn checked(self) -> Result<Self, OutOfRange> {
        let nanos = 0..NANOS_PER_SECOND as i32;
        if (SECONDS_MIN..=SECONDS_MAX).contains(&self.seconds) && nanos.contains(&self.nanos) {
            Ok(self)
        } else {
            Err(RANGE)
        }
    }
}

/// RFC 3339. What is out of range is shown as its numbers.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.checked().is_err() {
            return write!(f, "{} s and {} ns since 1970", self.seconds, self.nanos);
        }
        let (year, month, day) = date(self.seconds.div_euclid(SECONDS_PER_DAY));
        let second = self.seconds.rem_euclid(SECONDS_PER_DAY);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        write_nanos(f, self.nanos.unsigned_abs())?;
        f.write_str("Z")
    }
}

impl FromStr for Timestamp {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        parse(text).and_then(|timestamp| timestamp.checked().ok()).ok_or(UNREADABLE)
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    let number = |from: usize, to: usize| read_digits(text.get(from..to)?).map(|number| number as i64);
    let is = |at: usize, chars: &[u8]| text.as_bytes().get(at).is_some_and(|byte| chars.contains(byte));
    if !(is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":")) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let rest = text.get(19..)?;
    let (nanos, zone) = match rest.strip_prefix('.') {
        None => (0, rest),
        Some(fraction) => {
            let end = fraction.find(|char: char| !char.is_ascii_digit())?;
            (read_nanos(fraction.get(..end)?)?, fraction.get(end..)?)
        }
    };
    let days = days(year, month, day);
    // A date that there is not, such as February 30, is another one's.
    if date(days) != (year, month, day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - offset(zone)?;
    Some(Timestamp { seconds, nanos: i32::try_from(nanos).ok()? })
}

/// The seconds by which a zone's clocks are ahead: of `Z`, `+01:00`.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, clock) = match zone.split_at_checked(1)? {
        ("+", clock) => (1, clock),
        ("-", clock) => (-1, clock),
        _ => return None,
    };
    let (hours, minutes) = clock.split_once(':').filter(|_| clock.len() == 5)?;
    let (hours, minutes) = (read_digits(hours)?, read_digits(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60) as i64)
}

/// The day of that number since 1970-01-01.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// The number of a day since 1970-01-01.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let day = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year * 365 + year / 4 - year / 100 + day - 719_468
}

impl From<SystemTime> for Timestamp {
    /// What is beyond year 9999 becomes its end.
    fn from(time: SystemTime) -> Self {
        let (seconds, nanos) = match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => (i64::try_from(after.as_secs()).unwrap_or(i64::MAX), after.subsec_nanos()),
            Err(error) => {
                let before = error.duration();
                let seconds = i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
                match before.subsec_nanos() {
                    0 => (-seconds, 0),
                    nanos => (-seconds - 1, NANOS_PER_SECOND - nanos),
                }
            }
        };
        Self { seconds: seconds.clamp(SECONDS_MIN, SECONDS_MAX), nanos: nanos as i32 }
    }
}

impl TryFrom<Timestamp> for SystemTime {
    type Error = OutOfRange;

    /// # Errors
    ///
    /// [`OutOfRange`], also where the system's clock does not go so far.
    fn try_from(timestamp: Timestamp) -> Result<Self, OutOfRange> {
        let Timestamp { seconds, nanos } = timestamp.checked()?;
        let whole = std::time::Duration::from_secs(seconds.unsigned_abs());
        let time = if seconds < 0 { Self::UNIX_EPOCH.checked_sub(whole) } else { Self::UNIX_EPOCH.checked_add(whole) };
        time.and_then(|time| time.checked_add(std::time::Duration::from_nanos(nanos.unsigned_abs().into())))
            .ok_or(RANGE)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.checked().map_err(ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_timestamp_is_written_as_rfc_3339_has_it() {
        for (seconds, nanos, text) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (2_147_483_647, 250_000_000, "2038-01-19T03:14:07.250Z"),
            (-1, 999_999_999, "1969-12-31T23:59:59.999999999Z"),
            (951_782_400, 1_000, "2000-02-29T00:00:00.000001Z"),
            (SECONDS_MIN, 0, "0001-01-01T00:00:00Z"),
            (SECONDS_MAX, 999_000_000, "9999-12-31T23:59:59.999Z"),
        ] {
            let timestamp = Timestamp { seconds, nanos };
            assert_eq!(timestamp.to_string(), text);
            assert_eq!(text.parse(), Ok(timestamp));
        }
    }

    #[test]
    fn an_offset_is_taken_off() {
        let utc: Timestamp = "2024-03-01T00:30:00Z".parse().expect("a timestamp");
        assert_eq!("2024-02-29T23:30:00-01:00".parse(), Ok(utc));
        assert_eq!("2024-03-01T06:15:00.0+05:45".parse(), Ok(utc));
    }

    #[test]
    fn what_is_no_timestamp_is_refused() {
        for text in [
            "",
            "2024-03-01",
            "2023-02-29T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2024-00-01T00:00:00Z",
            "2024-03-01T24:00:00Z",
            "2024-03-01T00:00:60Z",
            "2024-03-01T00:00:00",
            "2024-03-01T00:00:00.Z",
            "2024-03-01T00:00:00.1234567890Z",
            "2024-03-01T00:00:00+1:00",
            "2024-03-01T00:00:00+24:00",
            "+024-03-01T00:00:00Z",
            "0000-12-31T23:59:59Z",
            "0001-01-01T00:00:00+00:01",
            "2024-03-01T00:00:00é",
            "2024é03-01T00:00:00Z",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(UNREADABLE), "{text}");
        }
    }

    #[test]
    fn what_is_out_of_range_does_not_travel() {
        for timestamp in [Timestamp { seconds: SECONDS_MAX + 1, nanos: 0 }, Timestamp { seconds: 0, nanos: -1 }] {
            assert!(serde_json::to_string(&timestamp).is_err());
            assert_eq!(SystemTime::try_from(timestamp), Err(RANGE));
        }
    }

    proptest! {
        #[test]
        fn text_and_clocks_give_back_what_they_got(seconds in SECONDS_MIN..=SECONDS_MAX, nanos in 0..1_000_000_000_i32) {
            let timestamp = Timestamp { seconds, nanos };
            prop_assert_eq!(timestamp.to_string().parse(), Ok(timestamp));
            let time = SystemTime::try_from(timestamp).expect("Linux counts in 64 bits");
            prop_assert_eq!(Timestamp::from(time), timestamp);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,30}") {
            let _ = text.parse::<Timestamp>();
        }
    }
}
