//! A value as JSON.
//!
//! Invariant: what comes out is JSON whatever came in, of one line if asked for, and holds nothing that steers a terminal.

use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::Value;

/// How JSON is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// For programs: one line.
    Line,
    /// For people.
    Pretty,
}

/// A value as JSON.
pub(crate) fn json(value: &Value, layout: Layout) -> String {
    json_of(&Shown(value), layout)
}

/// Whatever serde can make JSON of.
pub(crate) fn json_of(value: &impl Serialize, layout: Layout) -> String {
    let text = match layout {
        Layout::Line => serde_json::to_string(value),
        Layout::Pretty => serde_json::to_string_pretty(value),
    };
    // It fails for maps whose keys are no text, and nothing that is shown has any.
    harmless(text.unwrap_or_else(|error| Value::from(error.to_string()).to_string()))
}

/// JSON escapes the control characters of ASCII but for the last; those of Latin-1 steer terminals as well. All of them are within strings:
/// elsewhere JSON has none.
fn harmless(json: String) -> String {
    let steers = |char: char| char >= '\u{7f}' && char.is_control();
    if !json.contains(steers) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len());
    for char in json.chars() {
        if steers(char) {
            // Writing to a string does not fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(char));
        } else {
            escaped.push(char);
        }
    }
    escaped
}

/// Serializes as the table in [`value`](super) says. It recurses no deeper than what came is nested, which the wire bounds.
struct Shown<'a>(&'a Value);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::F32(number) if number.is_finite() => serializer.serialize_f32(*number),
            Value::F32(number) => serializer.serialize_str(not_finite(f64::from(*number))),
            Value::F64(number) if number.is_finite() => serializer.serialize_f64(*number),
            Value::F64(number) => serializer.serialize_str(not_finite(*number)),
            Value::String(text) => match text.as_str() {
                Some(text) => serializer.serialize_str(text),
                None => serializer.serialize_str(&STANDARD.encode(text.as_bytes())),
            },
            Value::Binary(bytes) => serializer.serialize_str(&STANDARD.encode(bytes)),
            Value::Array(items) => serializer.collect_seq(items.iter().map(Shown)),
            Value::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(&key_text(key), &Shown(value))?;
                }
                map.end()
            }
            Value::Ext(number, bytes) => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("ext", number)?;
                map.serialize_entry("data", &STANDARD.encode(bytes))?;
                map.end()
            }
            Value::Nil | Value::Boolean(_) | Value::Integer(_) => self.0.serialize(serializer),
        }
    }
}

fn not_finite(number: f64) -> &'static str {
    match number {
        number if number.is_nan() => "NaN",
        number if number > 0.0 => "Infinity",
        _ => "-Infinity",
    }
}

/// A key as text: itself, if it is text, else its JSON.
fn key_text(key: &Value) -> String {
    match key.as_str() {
        Some(text) => text.to_owned(),
        None => json(key, Layout::Line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_travels_has_a_json() {
        let cases = [
            (Value::Nil, "null"),
            (Value::from(u64::MAX), "18446744073709551615"),
            (Value::F32(0.1), "0.1"),
            (Value::F64(f64::NAN), "\"NaN\""),
            (Value::F64(f64::NEG_INFINITY), "\"-Infinity\""),
            (Value::Binary(vec![0, 255]), "\"AP8=\""),
            (Value::Map(vec![("b".into(), 1.into()), ("a".into(), 2.into())]), "{\"b\":1,\"a\":2}"),
            (Value::Map(vec![(7.into(), true.into()), (Value::Nil, 1.into())]), "{\"7\":true,\"null\":1}"),
            (Value::Ext(5, vec![1]), "{\"ext\":5,\"data\":\"AQ==\"}"),
        ];
        for (value, expected) in cases {
            assert_eq!(json(&value, Layout::Line), expected);
        }
    }

    #[test]
    fn nothing_steers_a_terminal() {
        let text = json(&Value::from("\u{1b}[2J \u{9b}2J \u{7f} é"), Layout::Line);
        assert_eq!(text, "\"\\u001b[2J \\u009b2J \\u007f é\"");
        assert_eq!(serde_json::from_str::<String>(&text).expect("JSON"), "\u{1b}[2J \u{9b}2J \u{7f} é");
    }
}
