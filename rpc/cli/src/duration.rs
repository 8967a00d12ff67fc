//! Durations as people write them: `2s`, `500ms`, `1.5m`.

use std::time::Duration;

/// What may stand behind a number, and how many seconds it is.
const UNITS: [(&str, f64); 6] = [("ns", 1e-9), ("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];

/// A number and its unit; without one, seconds.
///
/// # Errors
///
/// What is wrong with it, for people.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|char: char| char.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" => 1.0,
        unit => {
            let known = UNITS.iter().find(|(name, _)| *name == unit);
            known.ok_or_else(|| format!("`{unit}` is no unit of time: there are ns, us, ms, s, m and h"))?.1
        }
    };
    let number: f64 =
        digits.parse().map_err(|_| "a duration is a number and a unit, such as 2s or 500ms".to_owned())?;
    if number <= 0.0 {
        return Err("it has to be longer than nothing".to_owned());
    }
    Duration::try_from_secs_f64(number * unit).map_err(|_| "that is longer than can be waited for".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_as_usual() {
        let cases = [("2s", 2_000_000), ("500ms", 500_000), ("1.5m", 90_000_000), ("3", 3_000_000), ("7us", 7)];
        for (text, micros) in cases {
            assert_eq!(parse(text), Ok(Duration::from_micros(micros)), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in ["", "s", "-1s", "0", "1d", "1 s", "nan", "infs", "1e300h"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
