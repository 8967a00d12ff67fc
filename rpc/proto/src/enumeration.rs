//! How values of enums travel: as numbers; by their names where people read, and by either wherever they are read, as proto3's JSON mapping has it.
//!
//! Invariant: a number that has no name here stays what it is, in both directions.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};

/// An enum of a `.proto` file: which number has which name there.
pub trait Names {
    /// The name of a number; the first, if it has several.
    fn name(number: i32) -> Option<&'static str>;

    /// The number of a name.
    fn number(name: &str) -> Option<i32>;
}

/// How a field travels that holds values of the enum `E`, for the attribute `#[serde(with = "..")]`. It may be an `i32`, or an `Option`, a `Vec` or the
/// values of a `BTreeMap` of them.
///
/// ```
/// use fibra_proto::{Enumeration, Names};
/// use serde::{Deserialize, Serialize};
///
/// enum Color {}
///
/// impl Names for Color {
///     fn name(number: i32) -> Option<&'static str> {
///         (number == 1).then_some("COLOR_RED")
///     }
///
///     fn number(name: &str) -> Option<i32> {
///         (name == "COLOR_RED").then_some(1)
///     }
/// }
///
/// #[derive(Serialize, Deserialize)]
/// struct Leaf {
///     #[serde(with = "Enumeration::<Color>")]
///     colors: Vec<i32>,
/// }
///
/// let leaf: Leaf = serde_json::from_str(r#"{"colors": ["COLOR_RED", 1, 7]}"#)?;
/// assert_eq!(leaf.colors, [1, 1, 7]);
/// assert_eq!(serde_json::to_string(&leaf)?, r#"{"colors":["COLOR_RED","COLOR_RED",7]}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug)]
pub struct Enumeration<E>(PhantomData<E>);

impl<E: Names> Enumeration<E> {
    /// Writes names, where the format is one for people and there are any; else numbers.
    ///
    /// # Errors
    ///
    /// The serializer's.
    pub fn serialize<F: Numbers, S: Serializer>(field: &F, serializer: S) -> Result<S::Ok, S::Error> {
        field.write::<E, S>(serializer)
    }

    /// Reads numbers and names. The format has to say which it is: JSON and MessagePack do.
    ///
    /// # Errors
    ///
    /// The deserializer's: it is neither, or a name that is not known here.
    pub fn deserialize<'de, F: Numbers, D: Deserializer<'de>>(deserializer: D) -> Result<F, D::Error> {
        F::read::<E, D>(deserializer)
    }
}

/// What a field of numbers may be.
pub trait Numbers: Sized {
    /// See [`Enumeration::serialize`].
    ///
    /// # Errors
    ///
    /// The serializer's.
    fn write<E: Names, S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;

    /// See [`Enumeration::deserialize`].
    ///
    /// # Errors
    ///
    /// The deserializer's.
    fn read<'de, E: Names, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

impl Numbers for i32 {
    fn write<E: Names, S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        One::<E>::of(*self).serialize(serializer)
    }

    fn read<'de, E: Names, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        One::<E>::deserialize(deserializer).map(|one| one.number)
    }
}

impl Numbers for Option<i32> {
    fn write<E: Names, S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.map(One::<E>::of).serialize(serializer)
    }

    fn read<'de, E: Names, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let one = Option::<One<E>>::deserialize(deserializer)?;
        Ok(one.map(|one| one.number))
    }
}

impl Numbers for Vec<i32> {
    fn write<E: Names, S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().copied().map(One::<E>::of))
    }

    fn read<'de, E: Names, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let all = Vec::<One<E>>::deserialize(deserializer)?;
        Ok(all.into_iter().map(|one| one.number).collect())
    }
}

impl<K: Serialize + for<'k> Deserialize<'k> + Ord> Numbers for BTreeMap<K, i32> {
    fn write<E: Names, S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(key, number)| (key, One::<E>::of(*number))))
    }

    fn read<'de, E: Names, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let all = BTreeMap::<K, One<E>>::deserialize(deserializer)?;
        Ok(all.into_iter().map(|(key, one)| (key, one.number)).collect())
    }
}

/// One value.
struct One<E> {
    number: i32,
    of: PhantomData<E>,
}

impl<E> One<E> {
    fn of(number: i32) -> Self {
        Self { number, of: PhantomData }
    }
}

impl<E: Names> Serialize for One<E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match E::name(self.number) {
            Some(name) if serializer.is_human_readable() => serializer.serialize_str(name),
            _ => serializer.serialize_i32(self.number),
        }
    }
}

impl<'de, E: Names> Deserialize<'de> for One<E> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneVisitor::<E>(PhantomData)).map(Self::of)
    }
}

struct OneVisitor<E>(PhantomData<E>);

impl<E: Names> Visitor<'_> for OneVisitor<E> {
    type Value = i32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of an enum: its number or its name")
    }

    fn visit_i64<R: Error>(self, number: i64) -> Result<i32, R> {
        i32::try_from(number).map_err(|_| R::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_u64<R: Error>(self, number: u64) -> Result<i32, R> {
        i32::try_from(number).map_err(|_| R::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_str<R: Error>(self, name: &str) -> Result<i32, R> {
        E::number(name).ok_or_else(|| R::invalid_value(Unexpected::Str(name), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    enum Color {}

    impl Names for Color {
        fn name(number: i32) -> Option<&'static str> {
            ["NONE", "RED"].get(usize::try_from(number).ok()?).copied()
        }

        fn number(name: &str) -> Option<i32> {
            ["NONE", "RED"].iter().position(|known| *known == name).and_then(|number| number.try_into().ok())
        }
    }

    fn read<F: Numbers>(json: &str) -> Result<F, serde_json::Error> {
        Enumeration::<Color>::deserialize(&mut serde_json::Deserializer::from_str(json))
    }

    fn write<F: Numbers>(field: &F) -> String {
        let mut json = Vec::new();
        Enumeration::<Color>::serialize(field, &mut serde_json::Serializer::new(&mut json)).expect("memory takes all");
        String::from_utf8(json).expect("it is text")
    }

    #[test]
    fn names_and_numbers_are_one() {
        for (json, number) in
            [("\"RED\"", 1), ("1", 1), ("0", 0), ("\"NONE\"", 0), ("99", 99), ("-2147483648", i32::MIN)]
        {
            assert_eq!(read::<i32>(json).expect(json), number);
        }
        assert_eq!(read::<Option<i32>>("\"RED\"").expect("a name"), Some(1));
        assert_eq!(read::<Option<i32>>("null").expect("nothing"), None);
        assert_eq!(read::<Vec<i32>>("[\"RED\",7,\"NONE\"]").expect("three"), [1, 7, 0]);
        let by_key: BTreeMap<String, i32> = read("{\"a\":\"RED\",\"b\":-1}").expect("two");
        assert_eq!(by_key, [("a".to_owned(), 1), ("b".to_owned(), -1)].into());
    }

    #[test]
    fn a_name_is_written_if_there_is_one() {
        assert_eq!([write(&1), write(&7), write(&-1)], ["\"RED\"", "7", "-1"]);
        assert_eq!([write(&Some(0)), write(&None::<i32>)], ["\"NONE\"", "null"]);
        assert_eq!(write(&vec![1, 2]), "[\"RED\",2]");
        assert_eq!(write(&BTreeMap::from([(5, 1)])), "{\"5\":\"RED\"}");
    }

    #[test]
    fn what_is_neither_is_refused() {
        for json in ["\"BLUE\"", "\"red\"", "\"1\"", "1.5", "2147483648", "-2147483649", "true", "null", "[1]", "{}"] {
            assert!(read::<i32>(json).is_err(), "{json}");
        }
        let error = read::<i32>("\"BLUE\"").expect_err("there is none").to_string();
        assert!(error.contains("BLUE") && error.contains("its name"), "{error}");
    }
}
