//! How the member of a oneof is read: one that is not known here leaves the oneof unset, as in protobuf's own encoding.
//!
//! A oneof travels as serde's enums do, `{"circle": {..}}`. serde's derived code refuses a member that it does not know; a peer of a later version may
//! have sent it. So the map is read here, and the enum is given what it knows: which that is, it says itself when asked to deserialize.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::StringDeserializer;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, IntoDeserializer, MapAccess,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

/// Reads a oneof, for the attribute `#[serde(deserialize_with = "..")]` of a message's field.
///
/// # Errors
///
/// The deserializer's: it is no map, its member is malformed, or there are two.
pub fn oneof<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    deserializer.deserialize_option(OneofVisitor(PhantomData))
}

struct OneofVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneofVisitor<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map with one member, or nil")
    }

    fn visit_none<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<T>, A::Error> {
        let known = members::<T>();
        let mut found = None;
        while let Some(name) = map.next_key::<String>()? {
            if !known.contains(&name.as_str()) {
                map.next_value::<IgnoredAny>()?;
            } else if found.is_some() {
                return Err(A::Error::custom("two members of one oneof"));
            } else {
                found = Some(T::deserialize(Member { name, map: &mut map })?);
            }
        }
        Ok(found)
    }
}

/// The names of the members that `T` knows.
fn members<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    match T::deserialize(Ask) {
        Err(Names(names)) => names,
        Ok(_) => &[],
    }
}

/// Asks a derived enum for its variants, with which it comes to `deserialize_enum`.
struct Ask;

impl<'de> Deserializer<'de> for Ask {
    type Error = Names;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Names> {
        Err(Names(&[]))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Names> {
        Err(Names(names))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// The answer, as what deserializing ends with.
#[derive(Debug)]
struct Names(&'static [&'static str]);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("only asked")
    }
}

impl std::error::Error for Names {}

impl Error for Names {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(&[])
    }
}

/// A map's entry as an enum: its name is the variant, and its value what that holds.
struct Member<'a, A> {
    name: String,
    map: &'a mut A,
}

impl<'de, A: MapAccess<'de>> Deserializer<'de> for Member<'_, A> {
    type Error = A::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_enum(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

impl<'a, 'de, A: MapAccess<'de>> EnumAccess<'de> for Member<'a, A> {
    type Error = A::Error;
    type Variant = Held<'a, A>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Held<'a, A>), A::Error> {
        let name: StringDeserializer<A::Error> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, Held(self.map)))
    }
}

/// What the member holds: members of a oneof hold one value.
struct Held<'a, A>(&'a mut A);

impl<'de, A: MapAccess<'de>> VariantAccess<'de> for Held<'_, A> {
    type Error = A::Error;

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(seed)
    }

    fn unit_variant(self) -> Result<(), A::Error> {
        self.0.next_value()
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, A::Error> {
        Err(A::Error::custom("a oneof's member holds one value"))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, A::Error> {
        Err(A::Error::custom("a oneof's member holds one value"))
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Shape {
        Circle(f64),
        LongLine(Vec<u8>),
    }

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct Drawing {
        #[serde(deserialize_with = "super::oneof")]
        shape: Option<Shape>,
        after: i32,
    }

    fn read(json: &str) -> Result<Drawing, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn a_member_that_is_known_is_read() {
        for shape in [None, Some(Shape::Circle(1.5)), Some(Shape::LongLine(vec![1, 2]))] {
            let drawing = Drawing { shape, after: 7 };
            let json = serde_json::to_string(&drawing).expect("serializable");
            assert_eq!(read(&json).expect("readable"), drawing, "{json}");
        }
    }

    #[test]
    fn a_member_that_is_not_known_leaves_it_unset() {
        let unset = Drawing { shape: None, after: 7 };
        for json in [r#"{"shape":{"star":{"points":[5]}},"after":7}"#, r#"{"after":7}"#, r#"{"shape":{},"after":7}"#] {
            assert_eq!(read(json).expect("readable"), unset, "{json}");
        }
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for json in [
            r#"{"shape":{"circle":"round"}}"#,
            r#"{"shape":{"circle":1,"long_line":[]}}"#,
            r#"{"shape":"circle"}"#,
            r#"{"shape":[1]}"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
    }
}
