//! JSON to MessagePack: what came as parameters, for those who take arguments.
//!
//! Numbers without fraction and exponent that fit in 64 bits become integers; all others floats. What is twice in an object is twice in the map: it is for whoever
//! decodes to judge.
//!
//! Invariant: it recurses no deeper than [`DEPTH_MAX`] and two.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

use crate::limits::DEPTH_MAX;

/// What is JSON, and no more than that; anything else is an error, for people.
///
/// ```
/// use fibra_rpc::dialect::json::to_msgpack;
///
/// assert_eq!(to_msgpack("-3").expect("JSON"), [0xfd]);
/// assert!(to_msgpack(&"[".repeat(1000)).is_err());
/// ```
///
/// # Errors
///
/// It is no JSON, or nests deeper than [`DEPTH_MAX`] (and a level for what is around arguments).
pub fn to_msgpack(json: &str) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = Vec::with_capacity(json.len());
    let mut deserializer = serde_json::Deserializer::from_str(json);
    Transcode { out: &mut out, depth: 0 }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(out)
}

/// Appends one value to `out`.
struct Transcode<'a> {
    out: &'a mut Vec<u8>,
    /// How many arrays and objects are around it.
    depth: usize,
}

impl<'a> Transcode<'a> {
    /// Of what lies in this one.
    fn inner(&mut self) -> Transcode<'_> {
        Transcode { out: self.out, depth: self.depth + 1 }
    }

    fn enter<E: serde::de::Error>(&self) -> Result<(), E> {
        if self.depth > DEPTH_MAX { Err(E::custom(format!("it nests deeper than {DEPTH_MAX}"))) } else { Ok(()) }
    }

    /// A header whose count is not known yet; returns where that lies.
    fn header(&mut self, marker: u8) -> usize {
        self.out.push(marker);
        let at = self.out.len();
        self.out.extend_from_slice(&[0; 4]);
        at
    }

    fn count(&mut self, at: usize, count: u32) {
        if let Some(place) = self.out.get_mut(at..at + 4) {
            place.copy_from_slice(&count.to_be_bytes());
        }
    }
}

impl<'de> DeserializeSeed<'de> for Transcode<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Transcode<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.out.push(0xc0);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.out.push(if value { 0xc3 } else { 0xc2 });
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        rmp::encode::write_sint(self.out, value).map(|_| ()).map_err(E::custom)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        rmp::encode::write_uint(self.out, value).map(|_| ()).map_err(E::custom)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        rmp::encode::write_f64(self.out, value).map_err(E::custom)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        rmp::encode::write_str(self.out, value).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut values: A) -> Result<(), A::Error> {
        self.enter()?;
        let at = self.header(0xdd);
        let mut count = 0_u32;
        while values.next_element_seed(self.inner())?.is_some() {
            count = count.checked_add(1).ok_or_else(|| A::Error::custom("too many values"))?;
        }
        self.count(at, count);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        self.enter()?;
        let at = self.header(0xdf);
        let mut count = 0_u32;
        while entries.next_key_seed(self.inner())?.is_some() {
            entries.next_value_seed(self.inner())?;
            count = count.checked_add(1).ok_or_else(|| A::Error::custom("too many values"))?;
        }
        self.count(at, count);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rmpv::Value;

    use super::*;

    fn value(json: &str) -> Value {
        rmpv::decode::read_value(&mut &to_msgpack(json).expect("JSON")[..]).expect("MessagePack")
    }

    #[test]
    fn every_kind_of_value() {
        assert_eq!(value("null"), Value::Nil);
        assert_eq!(value("true"), true.into());
        assert_eq!(value("-9223372036854775808"), i64::MIN.into());
        assert_eq!(value("18446744073709551615"), u64::MAX.into());
        assert_eq!(value("18446744073709551616"), 18446744073709551616_f64.into());
        assert_eq!(value("1e2"), 100.0.into());
        assert_eq!(value("0.1"), 0.1.into());
        assert_eq!(value("\"\\u20ac \\\"\\n\""), "€ \"\n".into());
        assert_eq!(value("[1,[],\"a\"]"), Value::Array(vec![1.into(), Value::Array(vec![]), "a".into()]));
        let map = Value::Map(vec![("b".into(), 1.into()), ("a".into(), Value::Map(vec![]))]);
        assert_eq!(value("{\"b\":1,\"a\":{}}"), map);
    }

    #[test]
    fn what_is_no_json() {
        for json in ["", "x", "[1", "1 2", "[1,]", "{\"a\"}", "\"\\ud800\"", "01", "NaN"] {
            assert!(to_msgpack(json).is_err(), "{json}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth| to_msgpack(&["[".repeat(depth), "]".repeat(depth)].concat());
        assert!(nested(DEPTH_MAX).is_ok());
        let told = nested(DEPTH_MAX + 10).expect_err("too deep").to_string();
        assert!(told.contains("deeper than 32"), "{told}");
    }
}
