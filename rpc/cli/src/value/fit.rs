//! JSON to a value of a type, or what is wrong with it.
//!
//! Invariant: what is sent is what was meant, or nothing is: no number is rounded, and no text becomes a number because it looks like one.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::Value;
use super::json::{Layout, json};
use crate::types::Type;

/// With padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Longest piece of a value that a message shows.
const SHOWN_CHARS_MAX: usize = 60;

/// Largest whole number up to which a JSON number with an exponent or a fraction is exact.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// A value that is none of its type. Displays what was expected and what came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// Where within the value: `.items[3]`; empty if it is the whole of it.
    path: String,
    wanted: String,
    got: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, wanted, got } = self;
        if !path.is_empty() {
            write!(f, "at {path}: ")?;
        }
        write!(f, "expected {wanted}, got {got}")
    }
}

impl Misfit {
    fn new(wanted: impl fmt::Display, got: &Value) -> Self {
        Self::told(wanted, short(got))
    }

    fn told(wanted: impl fmt::Display, got: String) -> Self {
        Self { path: String::new(), wanted: wanted.to_string(), got }
    }

    fn within(mut self, step: &str) -> Self {
        self.path.insert_str(0, step);
        self
    }
}

fn short(value: &Value) -> String {
    let text = json(value, Layout::Line);
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        None => text,
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

/// A word of the command line, or a line of the input: JSON if it is some, else text; by its type where that is known.
pub(crate) fn word(text: &str, ty: &Type) -> Result<Value, Misfit> {
    let parsed = serde_json::from_str::<Value>(text);
    match (ty, parsed) {
        (Type::Option(_), Ok(Value::Nil)) => Ok(Value::Nil),
        (Type::Option(inside), _) => word(text, inside),
        // `3` is text where text is wanted; `"3"` is the same, as JSON has it.
        (Type::Text | Type::Char, Ok(value)) if !value.is_str() => fit(Value::from(text), ty),
        (Type::Bytes, Ok(value)) if !value.is_str() && !value.is_array() => fit(Value::from(text), ty),
        (_, Ok(value)) => fit(value, ty),
        // What begins like JSON is not meant as text.
        (Type::Unknown(_), Err(error)) if text.starts_with(['{', '[', '"']) => {
            Err(Misfit::told(ty, format!("JSON with a mistake ({error})")))
        }
        (_, Err(_)) => fit(Value::from(text), ty),
    }
}

/// A value of JSON as one of that type.
pub(crate) fn fit(value: Value, ty: &Type) -> Result<Value, Misfit> {
    match (ty, value) {
        (Type::Unknown(_), value) => Ok(value),
        (Type::Option(_) | Type::Unit, Value::Nil) => Ok(Value::Nil),
        (Type::Option(inside), value) => fit(value, inside),
        (Type::Bool, value @ Value::Boolean(_)) => Ok(value),
        (Type::Int { signed, bits }, value) => int(&value, *signed, *bits),
        (Type::Float { bits }, value) => float(&value, *bits),
        (Type::Char, Value::String(text)) if text.as_str().is_some_and(|text| text.chars().count() == 1) => {
            Ok(Value::String(text))
        }
        (Type::Text, value @ Value::String(_)) => Ok(value),
        (Type::Bytes, value) => bytes(value),
        (Type::List(item), Value::Array(items)) => {
            let fitted = items.into_iter().enumerate();
            let fitted = fitted.map(|(at, value)| fit(value, item).map_err(|misfit| misfit.within(&format!("[{at}]"))));
            fitted.collect::<Result<_, _>>().map(Value::Array)
        }
        (Type::Tuple(types), Value::Array(items)) if types.len() == items.len() => {
            let fitted = items.into_iter().zip(types).enumerate();
            let fitted =
                fitted.map(|(at, (value, ty))| fit(value, ty).map_err(|misfit| misfit.within(&format!("[{at}]"))));
            fitted.collect::<Result<_, _>>().map(Value::Array)
        }
        (Type::Map(key, item), Value::Map(entries)) => {
            let fitted = entries.into_iter().map(|(name, value)| {
                let step = format!(".{}", name.as_str().unwrap_or("?"));
                let entry = map_key(name, key).and_then(|name| Ok((name, fit(value, item)?)));
                entry.map_err(|misfit| misfit.within(&step))
            });
            fitted.collect::<Result<_, _>>().map(Value::Map)
        }
        (Type::Char, value) => Err(Misfit::new("char, which is one character", &value)),
        (Type::Tuple(types), Value::Array(items)) => {
            let wanted = format!("{ty}, which has {} elements", types.len());
            Err(Misfit::told(wanted, format!("{}", items.len())))
        }
        (ty, value) => Err(Misfit::new(ty, &value)),
    }
}

/// A key of an object is text, whatever it stands for.
fn map_key(name: Value, ty: &Type) -> Result<Value, Misfit> {
    match (ty, name.as_str()) {
        (Type::Text | Type::Unknown(_), _) | (_, None) => Ok(name),
        (ty, Some(text)) => word(text, ty),
    }
}

fn int(value: &Value, signed: bool, bits: u32) -> Result<Value, Misfit> {
    let wanted = Type::Int { signed, bits };
    let number = match value {
        Value::Integer(number) => number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)),
        // `3.0` and `1e3` are whole numbers, too.
        Value::F64(number) if number.fract() == 0.0 && number.abs() <= EXACT_MAX => Some(*number as i128),
        Value::F64(number) if number.fract() == 0.0 => {
            let wanted = format!("{wanted}, and from here at most 64 bits of it");
            return Err(Misfit::told(wanted, short(value)));
        }
        _ => None,
    };
    let number = number.ok_or_else(|| Misfit::new(&wanted, value))?;
    let (least, most) = match (signed, bits) {
        // More than 64 bits are not to be had from JSON.
        (true, 64..) => (i64::MIN.into(), u64::MAX.into()),
        (true, bits) => (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1),
        (false, 64..) => (0, u64::MAX.into()),
        (false, bits) => (0, (1_i128 << bits) - 1),
    };
    let most = if signed && bits == 64 { i64::MAX.into() } else { most };
    if !(least..=most).contains(&number) {
        return Err(Misfit::new(format!("{wanted}, which is from {least} to {most}"), value));
    }
    let signed = i64::try_from(number).map(Value::from);
    signed.or_else(|_| u64::try_from(number).map(Value::from)).map_err(|_| Misfit::new(&wanted, value))
}

fn float(value: &Value, bits: u32) -> Result<Value, Misfit> {
    let number = match value {
        Value::String(text) => match text.as_str() {
            Some("NaN") => Some(f64::NAN),
            Some("Infinity" | "inf") => Some(f64::INFINITY),
            Some("-Infinity" | "-inf") => Some(f64::NEG_INFINITY),
            _ => None,
        },
        value => value.as_f64(),
    };
    let number = number.ok_or_else(|| Misfit::new(Type::Float { bits }, value))?;
    // What a shell has in decimals is rounded to the nearest anyway.
    Ok(if bits == 32 { Value::F32(number as f32) } else { Value::F64(number) })
}

fn bytes(value: Value) -> Result<Value, Misfit> {
    const WANTED: &str = "bytes, which are text in base64 or an array of numbers up to 255";
    let decoded = match &value {
        Value::String(text) => text.as_str().and_then(|text| BASE64.decode(text).ok()),
        Value::Array(numbers) => {
            let bytes = numbers.iter().map(|number| number.as_u64().and_then(|number| u8::try_from(number).ok()));
            bytes.collect()
        }
        _ => None,
    };
    decoded.map(Value::Binary).ok_or_else(|| Misfit::new(WANTED, &value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, ty: &str) -> Result<Value, String> {
        word(text, &Type::of(ty)).map_err(|misfit| misfit.to_string())
    }

    #[test]
    fn a_word_is_what_its_type_says() {
        let cases = [
            ("3", "String", Value::from("3")),
            ("\"3\"", "String", Value::from("3")),
            ("null", "String", Value::from("null")),
            ("null", "Option<String>", Value::Nil),
            ("true", "Option<String>", Value::from("true")),
            ("3", "i64", Value::from(3)),
            ("1e3", "u16", Value::from(1000)),
            ("18446744073709551615", "u64", Value::from(u64::MAX)),
            ("-9223372036854775808", "i64", Value::from(i64::MIN)),
            ("3", "f64", Value::F64(3.0)),
            ("-Infinity", "f64", Value::F64(f64::NEG_INFINITY)),
            ("AP8=", "Vec<u8>", Value::Binary(vec![0, 255])),
            ("AP8", "Vec<u8>", Value::Binary(vec![0, 255])),
            ("1234", "Vec<u8>", Value::Binary(vec![0xd7, 0x6d, 0xf8])),
            ("[0,255]", "Vec<u8>", Value::Binary(vec![0, 255])),
            ("x", "char", Value::from("x")),
            ("7", "char", Value::from("7")),
            ("Red", "Colour", Value::from("Red")),
            ("3", "_", Value::from(3)),
            ("{\"7\":true}", "HashMap<u8, bool>", Value::Map(vec![(7.into(), true.into())])),
            ("[1,\"a\"]", "(i64, String)", Value::Array(vec![1.into(), "a".into()])),
        ];
        for (text, ty, value) in cases {
            assert_eq!(read(text, ty), Ok(value), "{text} as {ty}");
        }
    }

    #[test]
    fn what_is_none_of_its_type_is_refused() {
        let cases = [
            ("x", "i64", "expected i64, got \"x\""),
            ("\"3\"", "i64", "expected i64, got \"3\""),
            ("3.5", "i64", "expected i64, got 3.5"),
            ("300", "u8", "expected u8, which is from 0 to 255, got 300"),
            ("-1", "u64", "expected u64, which is from 0 to 18446744073709551615, got -1"),
            (
                "9223372036854775808",
                "i64",
                "expected i64, which is from -9223372036854775808 to 9223372036854775807, got 9223372036854775808",
            ),
            ("yes", "bool", "expected bool, got \"yes\""),
            ("ab", "char", "expected char, which is one character, got \"ab\""),
            ("[1,\"b\"]", "Vec<i64>", "at [1]: expected i64, got \"b\""),
            ("{\"a\":[true,1]}", "HashMap<String, Vec<bool>>", "at .a[1]: expected bool, got 1"),
            ("[1]", "(i64, String)", "expected (i64, String), which has 2 elements, got 1"),
        ];
        for (text, ty, message) in cases {
            assert_eq!(read(text, ty), Err(message.to_owned()), "{text} as {ty}");
        }
        assert!(read("?", "Vec<u8>").is_err_and(|message| message.contains("base64")));
        assert!(read("{\"a\":", "Order").is_err_and(|message| message.contains("JSON with a mistake")));
        let long = read(&"x".repeat(1000), "i64").expect_err("text");
        assert!(long.chars().count() < 100 && long.ends_with('…'), "{long}");
    }

    /// A number that `f64` cannot tell from its neighbours is not sent as one of them.
    #[test]
    fn nothing_is_rounded() {
        assert!(read("18446744073709551616", "u64").is_err());
        assert!(read("1e30", "i128").is_err());
    }
}
