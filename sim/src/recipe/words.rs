//! The words of a recipe: numbers, times, names. Each is written so that it is read back exactly, and has no blank in it.

use std::fmt::Write as _;
use std::str::FromStr;
use std::time::Duration;

use fibra_net::sim::Schedule;

/// Units of time, the longest first.
const UNITS: [(&str, u128); 4] = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];

/// A whole number of the longest unit that it is one of.
pub(super) fn time(time: Duration) -> String {
    let nanos = time.as_nanos();
    let (unit, length) = UNITS.into_iter().find(|(_, length)| nanos.is_multiple_of(*length)).unwrap_or(("ns", 1));
    format!("{}{unit}", nanos / length)
}

pub(super) fn read_time(text: &str) -> Option<Duration> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (count, unit) = text.split_at(digits);
    let (_, length) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    let nanos = count.parse::<u128>().ok()?.checked_mul(length)?;
    let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
    Some(Duration::new(seconds, (nanos % 1_000_000_000) as u32))
}

/// From the shorter to the longer.
pub(super) fn span((min, max): (Duration, Duration)) -> String {
    format!("{}..{}", time(min), time(max))
}

pub(super) fn read_span(text: &str) -> Option<(Duration, Duration)> {
    let (min, max) = text.split_once("..")?;
    Some((read_time(min)?, read_time(max)?))
}

pub(super) fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

pub(super) fn probability(text: &str) -> Option<f64> {
    number(text).filter(|probability| (0.0..=1.0).contains(probability))
}

pub(super) fn list(numbers: &[u64]) -> String {
    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}

/// With all that could be taken for something else as `%` and two digits for each of its bytes.
pub(super) fn names(names: &[String]) -> String {
    let mut text = String::new();
    for (place, name) in names.iter().enumerate() {
        text.push_str(if place == 0 { "" } else { "," });
        for byte in name.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => text.push(char::from(byte)),
                // Writing to a string does not fail.
                _ => drop(write!(text, "%{byte:02x}")),
            }
        }
    }
    text
}

pub(super) fn name(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            _ => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// `None`: as the seed has it.
pub(super) fn schedule(schedule: Option<Schedule>) -> String {
    match schedule {
        None => "seeded".to_owned(),
        Some(Schedule::Random) => "random".to_owned(),
        Some(Schedule::Priorities { depth, steps }) => format!("pct:{depth}/{steps}"),
        Some(_) => "unknown".to_owned(),
    }
}

pub(super) fn read_schedule(text: &str) -> Option<Option<Schedule>> {
    Some(match text {
        "seeded" => None,
        "random" => Some(Schedule::Random),
        _ => {
            let (depth, steps) = text.strip_prefix("pct:")?.split_once('/')?;
            Some(Schedule::Priorities { depth: number(depth)?, steps: number(steps)? })
        }
    })
}

pub(super) fn split(text: &str, at: char) -> Option<(&str, &str)> {
    text.split_once(at)
}
