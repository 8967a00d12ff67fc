//! Metadata: what travels beside a call's arguments, by key. For callers, middleware and handlers; no method declares it.
//!
//! Wire format: `docs/wire-format.md`, "Metadata". Kept as it travels: one allocation, a copy to send or receive, and a look through at
//! most [`METADATA_ENTRIES_MAX`] keys to find one.
//!
//! Invariants:
//! * `bytes` holds `entries` entries, whole, with no key twice: MessagePack, a key and a value each, without the map's header.
//! * With its header it is at most [`METADATA_BYTES_MAX`] long.
//! * What a peer sends is accepted as a whole or not at all, without recursion, and allocates what arrived at most.

mod msgpack;

use std::fmt;

use crate::limits::{METADATA_BYTES_MAX, METADATA_ENTRIES_MAX};

/// Keys and their values, which are text or bytes; at most 64 of them, and 8 KiB as they travel.
///
/// ```
/// use fibra_rpc::Metadata;
///
/// let mut metadata = Metadata::new();
/// metadata.insert("tenant", "acme")?;
/// metadata.insert("token", &[1_u8, 2, 3][..])?;
/// assert_eq!(metadata.text("tenant"), Some("acme"));
/// assert_eq!(metadata.bytes("token"), Some(&[1, 2, 3][..]));
/// # Ok::<(), fibra_rpc::metadata::Unacceptable>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    bytes: Vec<u8>,
    entries: u8,
}

/// A value of [`Metadata`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Text.
    Text(&'a str),
    /// Any bytes.
    Bytes(&'a [u8]),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

/// Why something is not metadata, or cannot become part of it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unacceptable {
    /// More than [`METADATA_ENTRIES_MAX`] entries.
    TooMany,
    /// More than [`METADATA_BYTES_MAX`] as it travels.
    TooLarge,
    /// The key is empty.
    EmptyKey,
    /// A key that is there twice.
    Duplicate,
    /// It is not one MessagePack map from text to text or bytes.
    Malformed,
}

impl fmt::Display for Unacceptable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(f, "metadata of more than {METADATA_ENTRIES_MAX} entries"),
            Self::TooLarge => write!(f, "metadata of more than {METADATA_BYTES_MAX} bytes"),
            Self::EmptyKey => f.write_str("metadata with an empty key"),
            Self::Duplicate => f.write_str("metadata with a key that is there twice"),
            Self::Malformed => f.write_str("metadata that is no MessagePack map from text to text or bytes"),
        }
    }
}

impl std::error::Error for Unacceptable {}

impl Metadata {
    /// No entries. Allocates nothing.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), entries: 0 }
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.into()
    }

    /// The entries, in the order in which they were inserted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        let mut rest = &self.bytes[..];
        // What is in `bytes` has been looked at: it ends at an entry's end.
        std::iter::from_fn(move || msgpack::entry(&mut rest).ok())
    }

    /// A key's value.
    pub fn get(&self, key: &str) -> Option<Value<'_>> {
        self.iter().find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    /// A key's value, if it is text.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            Value::Text(text) => Some(text),
            Value::Bytes(_) => None,
        }
    }

    /// A key's value, if it is bytes.
    pub fn bytes(&self, key: &str) -> Option<&[u8]> {
        match self.get(key)? {
            Value::Bytes(bytes) => Some(bytes),
            Value::Text(_) => None,
        }
    }

    /// Sets a key's value, in the place of an earlier one.
    ///
    /// # Errors
    ///
    /// [`TooMany`](Unacceptable::TooMany), [`TooLarge`](Unacceptable::TooLarge), [`EmptyKey`](Unacceptable::EmptyKey); then nothing has changed.
    pub fn insert<'a>(&mut self, key: &str, value: impl Into<Value<'a>>) -> Result<(), Unacceptable> {
        let value = value.into();
        if key.is_empty() {
            return Err(Unacceptable::EmptyKey);
        }
        let (replaced, entries) = match self.range(key) {
            Some(range) => (range.len(), self.len()),
            None => (0, self.len() + 1),
        };
        if entries > METADATA_ENTRIES_MAX {
            return Err(Unacceptable::TooMany);
        }
        let added = msgpack::text_len(key.len()).saturating_add(msgpack::value_len(value));
        let bytes = (self.bytes.len() - replaced).saturating_add(added);
        if msgpack::map_header_len(entries).saturating_add(bytes) > METADATA_BYTES_MAX {
            return Err(Unacceptable::TooLarge);
        }
        self.remove(key);
        msgpack::push_text(&mut self.bytes, key);
        msgpack::push_value(&mut self.bytes, value);
        self.entries += 1;
        Ok(())
    }

    /// Takes a key and its value out. Whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        let Some(range) = self.range(key) else { return false };
        self.bytes.drain(range);
        self.entries -= 1;
        true
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries = 0;
    }

    /// Where a key's entry lies.
    fn range(&self, key: &str) -> Option<std::ops::Range<usize>> {
        let mut rest = &self.bytes[..];
        loop {
            let start = self.bytes.len() - rest.len();
            let (known, _) = msgpack::entry(&mut rest).ok()?;
            if known == key {
                return Some(start..self.bytes.len() - rest.len());
            }
        }
    }

    /// As it travels: one MessagePack map.
    pub fn decode(bytes: &[u8]) -> Result<Self, Unacceptable> {
        if bytes.len() > METADATA_BYTES_MAX {
            return Err(Unacceptable::TooLarge);
        }
        let mut rest = bytes;
        let entries = msgpack::map_header(&mut rest)?;
        if entries > METADATA_ENTRIES_MAX {
            return Err(Unacceptable::TooMany);
        }
        let body = rest;
        let mut keys = [""; METADATA_ENTRIES_MAX];
        for index in 0..entries {
            let (key, _) = msgpack::entry(&mut rest)?;
            if key.is_empty() {
                return Err(Unacceptable::EmptyKey);
            }
            if keys[..index].contains(&key) {
                return Err(Unacceptable::Duplicate);
            }
            keys[index] = key;
        }
        if !rest.is_empty() {
            return Err(Unacceptable::Malformed);
        }
        // Its header may have been longer than it need be, never shorter: within the limit it stays.
        Ok(Self { bytes: body.to_vec(), entries: u8::try_from(entries).unwrap_or(u8::MAX) })
    }

    /// Hands `push` the pieces that make the map, one after the other.
    pub fn encode(&self, mut push: impl FnMut(&[u8])) {
        let (header, len) = msgpack::map_header_of(self.entries);
        push(&header[..len]);
        push(&self.bytes);
    }

    /// How long it is as it travels.
    pub fn encoded_len(&self) -> usize {
        msgpack::map_header_len(self.len()) + self.bytes.len()
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys only: values may be secrets, and this goes into logs.
        f.debug_set().entries(self.iter().map(|(key, _)| key)).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    enum Owned {
        Text(String),
        Bytes(Vec<u8>),
    }

    impl Owned {
        fn value(&self) -> Value<'_> {
            match self {
                Self::Text(text) => Value::Text(text),
                Self::Bytes(bytes) => Value::Bytes(bytes),
            }
        }
    }

    fn value() -> impl Strategy<Value = Owned> {
        prop_oneof![
            ".{0,300}".prop_map(Owned::Text),
            vec(any::<u8>(), 0..40).prop_map(Owned::Bytes),
            vec(any::<u8>(), 200..300).prop_map(Owned::Bytes),
        ]
    }

    fn encoded(metadata: &Metadata) -> Vec<u8> {
        let mut bytes = Vec::new();
        metadata.encode(|piece| bytes.extend_from_slice(piece));
        bytes
    }

    proptest! {
        /// Against a map: `None` removes.
        #[test]
        fn it_is_a_bounded_map(steps in vec(("[a-d]{1,2}|.{1,40}", proptest::option::of(value())), 0..120)) {
            let (mut metadata, mut model) = (Metadata::new(), BTreeMap::new());
            for (key, value) in steps {
                match value {
                    Some(value) => {
                        let before = metadata.clone();
                        match metadata.insert(&key, value.value()) {
                            Ok(()) => drop(model.insert(key, value)),
                            Err(_) => prop_assert_eq!(&metadata, &before),
                        }
                    }
                    None => prop_assert_eq!(metadata.remove(&key), model.remove(&key).is_some()),
                }
                prop_assert_eq!(metadata.len(), model.len());
                prop_assert!(metadata.len() <= METADATA_ENTRIES_MAX && metadata.encoded_len() <= METADATA_BYTES_MAX);
                let bytes = encoded(&metadata);
                prop_assert_eq!(bytes.len(), metadata.encoded_len());
                prop_assert_eq!(crate::wire::check::check(&bytes), Ok(()));
                prop_assert_eq!(Metadata::decode(&bytes), Ok(metadata.clone()));
            }
            for (key, value) in &model {
                prop_assert_eq!(metadata.get(key), Some(value.value()));
            }
        }

        #[test]
        fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
            if let Ok(metadata) = Metadata::decode(&bytes) {
                prop_assert_eq!(Metadata::decode(&encoded(&metadata)), Ok(metadata));
            }
        }

        #[test]
        fn a_changed_byte_is_refused_or_is_other_metadata(
            texts in proptest::collection::btree_map("[a-z]{1,8}", value(), 0..8),
            at in any::<prop::sample::Index>(),
            to in any::<u8>(),
        ) {
            let mut metadata = Metadata::new();
            for (key, value) in &texts {
                let _ = metadata.insert(key, value.value());
            }
            let mut bytes = encoded(&metadata);
            let at = at.index(bytes.len());
            bytes[at] = to;
            if let Ok(changed) = Metadata::decode(&bytes) {
                prop_assert!(changed.iter().count() == changed.len());
            }
        }
    }

    #[test]
    fn what_is_no_metadata_says_why() {
        let decode = |bytes: &[u8]| Metadata::decode(bytes).map(|metadata| metadata.len());
        assert_eq!(decode(&[0x80]), Ok(0));
        assert_eq!(decode(&[0x81, 0xa1, b'k', 0xa1, b'v']), Ok(1));
        assert_eq!(decode(&[]), Err(Unacceptable::Malformed), "nothing");
        assert_eq!(decode(&[0x90]), Err(Unacceptable::Malformed), "an array");
        assert_eq!(decode(&[0x81, 0xa1, b'k', 0x05]), Err(Unacceptable::Malformed), "a number");
        assert_eq!(decode(&[0x81, 0xa1, b'k', 0x81, 0xa1, b'k', 0xc0]), Err(Unacceptable::Malformed), "a map within");
        assert_eq!(decode(&[0x81, 0xc4, 1, b'k', 0xa0]), Err(Unacceptable::Malformed), "a key of bytes");
        assert_eq!(decode(&[0x81, 0xa1, 0xff, 0xa0]), Err(Unacceptable::Malformed), "text that is not UTF-8");
        assert_eq!(decode(&[0x81, 0xa1, b'k', 0xda, 0xff, 0xff]), Err(Unacceptable::Malformed), "cut short");
        assert_eq!(decode(&[0x80, 0]), Err(Unacceptable::Malformed), "something behind it");
        assert_eq!(decode(&[0x81, 0xa0, 0xa0]), Err(Unacceptable::EmptyKey));
        assert_eq!(decode(&[0x82, 0xa1, b'k', 0xa0, 0xd9, 1, b'k', 0xa0]), Err(Unacceptable::Duplicate));
        assert_eq!(decode(&[0xde, 0, 65]), Err(Unacceptable::TooMany));
        assert_eq!(decode(&[0xdf, 0xff, 0xff, 0xff, 0xff]), Err(Unacceptable::TooMany));
        assert_eq!(decode(&[0xc0; METADATA_BYTES_MAX + 1]), Err(Unacceptable::TooLarge));
    }

    #[test]
    fn its_values_do_not_get_into_logs() {
        let mut metadata = Metadata::new();
        metadata.insert("token", "hunter2").expect("room");
        assert_eq!(format!("{metadata:?}"), r#"{"token"}"#);
    }
}
