//! Where a JSON object or array ends, of which the bytes come in pieces.
//!
//! Only strings and brackets are followed, and what cannot be JSON between them is found at once; the rest is for the parser to judge.
//!
//! Invariants:
//! * Each byte is looked at once, however the value is cut; nothing is allocated, and there is no recursion.
//! * What a JSON parser accepts ends where it is said to.

use std::fmt;

/// Brackets that are followed by their kind; those that lie deeper are only counted.
const KINDS: u32 = u64::BITS;

/// How far the looking has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    at: usize,
    depth: usize,
    /// Of each bracket that is open, the innermost in the last bit: whether it is an object's.
    kinds: u64,
    within: Within,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Within {
    #[default]
    Structure,
    Text,
    /// Behind a backslash.
    Escape,
}

/// Bytes that no JSON object or array has, or not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Where.
    pub at: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {} cannot be there in JSON", self.at)
    }
}

impl std::error::Error for Malformed {}

impl Extent {
    /// Of one object or array, from its first byte on.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value's length, once `bytes` hold all of it. They are those of the last time, and more.
    ///
    /// ```
    /// use fibra_rpc::dialect::json::extent::Extent;
    ///
    /// let mut extent = Extent::new();
    /// assert_eq!(extent.look(b"{\"a\": [1, "), Ok(None));
    /// assert_eq!(extent.look(b"{\"a\": [1, 2]} {"), Ok(Some(13)));
    /// ```
    ///
    /// # Errors
    ///
    /// [`Malformed`], as soon as the byte is there.
    pub fn look(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        while let Some(&byte) = bytes.get(self.at) {
            let malformed = Err(Malformed { at: self.at });
            self.at += 1;
            match (self.within, byte) {
                (Within::Escape, 0x20..) => self.within = Within::Text,
                (Within::Text, b'\\') => self.within = Within::Escape,
                (Within::Text, b'"') => self.within = Within::Structure,
                (Within::Text, 0x20..) => {}
                // Control characters in a string.
                (Within::Text | Within::Escape, _) => return malformed,
                (Within::Structure, b'{' | b'[') => self.open(byte == b'{'),
                // A value begins with its bracket.
                (Within::Structure, _) if self.depth == 0 => return malformed,
                (Within::Structure, b'}' | b']') => {
                    if !self.close(byte == b'}') {
                        return malformed;
                    }
                    if self.depth == 0 {
                        return Ok(Some(self.at));
                    }
                }
                (Within::Structure, b'"') => self.within = Within::Text,
                (Within::Structure, byte) if is_between(byte) => {}
                (Within::Structure, _) => return malformed,
            }
        }
        Ok(None)
    }

    fn open(&mut self, object: bool) {
        if self.depth < KINDS as usize {
            self.kinds = self.kinds << 1 | u64::from(object);
        }
        self.depth += 1;
    }

    /// Whether that is what was open.
    fn close(&mut self, object: bool) -> bool {
        self.depth -= 1;
        if self.depth >= KINDS as usize {
            return true;
        }
        let was_object = self.kinds & 1 != 0;
        self.kinds >>= 1;
        was_object == object
    }
}

/// How many bytes at the beginning say nothing.
pub fn blanks(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| is_blank(**byte)).count()
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Whether it may lie outside of strings: between values, or in a number or a word.
fn is_between(byte: u8) -> bool {
    is_blank(byte) || matches!(byte, b',' | b':' | b'+' | b'-' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'E')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        let structure = leaf.prop_recursive(5, 64, 8, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                proptest::collection::hash_map(any::<String>(), inner, 0..8)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        });
        structure.prop_map(|inner| Value::Array(vec![inner]))
    }

    proptest! {
        #[test]
        fn the_end_is_found_however_the_bytes_are_cut(value in value(), pretty in any::<bool>(), cut in any::<prop::sample::Index>()) {
            let mut bytes = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }.expect("JSON");
            let len = bytes.len();
            bytes.extend_from_slice(b"{\"next");
            let mut extent = Extent::new();
            prop_assert_eq!(extent.look(&bytes[..cut.index(len)]), Ok(None));
            prop_assert_eq!(extent.look(&bytes), Ok(Some(len)));
        }

        #[test]
        fn what_a_parser_accepts_is_accepted(bytes in "[\\[{][\\[\\]{}\",:a1 e.\\\\-]{0,12}") {
            if serde_json::from_str::<&serde_json::value::RawValue>(&bytes).is_ok() {
                prop_assert_eq!(Extent::new().look(bytes.as_bytes()), Ok(Some(bytes.trim_end().len())));
            }
        }

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut extent = Extent::new();
            let _ = extent.look(&bytes);
        }
    }

    #[test]
    fn what_cannot_be_is_found_at_once() {
        for (bytes, at) in [("x", 0), ("]", 0), ("{]", 1), ("[1}", 2), ("[\"a\nb", 3), ("[\u{e4}", 1), ("[\"\\\n", 3)] {
            assert_eq!(Extent::new().look(bytes.as_bytes()), Err(Malformed { at }), "{bytes:?}");
        }
    }

    #[test]
    fn depth_is_no_matter() {
        let depth = 100_000;
        let bytes = ["[".repeat(depth), "]".repeat(depth)].concat();
        let mut extent = Extent::new();
        assert_eq!(extent.look(bytes.as_bytes()), Ok(Some(2 * depth)));
    }
}
