//! Where a MessagePack value ends, of which the bytes come in pieces: MessagePack-RPC has no other framing.
//!
//! Invariants:
//! * Each byte is looked at once, however the value is cut; nothing is allocated, and there is no recursion.
//! * It says where a value ends, not whether it is acceptable: that is for [`check`](crate::wire::check).

use crate::wire::check::{Item, Unacceptable};

/// How far the looking has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Where the next value begins, perhaps beyond the bytes that are there.
    at: usize,
    /// How many values are still to come.
    lacking: usize,
}

impl Extent {
    /// Of one value, from the first byte on.
    pub const fn new() -> Self {
        Self { at: 0, lacking: 1 }
    }

    /// The value's length, once `bytes` hold all of it. They are those of the last time, and more.
    ///
    /// # Errors
    ///
    /// [`Unacceptable::Reserved`]: that is no MessagePack.
    pub fn look(&mut self, bytes: &[u8]) -> Result<Option<usize>, Unacceptable> {
        while self.lacking > 0 {
            let Some(mut rest) = bytes.get(self.at..) else { return Ok(None) };
            let behind = match Item::read(&mut rest) {
                Err(Unacceptable::Truncated) => return Ok(None),
                item => item?,
            };
            self.at = bytes.len() - rest.len();
            self.lacking -= 1;
            match behind {
                Item::Scalar { bytes } => self.at = self.at.saturating_add(bytes),
                Item::Container { values } => self.lacking = self.lacking.saturating_add(values),
            }
        }
        Ok((self.at <= bytes.len()).then_some(self.at))
    }

    /// The value is no shorter than this, by what has been seen of it.
    pub fn at_least(&self) -> usize {
        self.at.saturating_add(self.lacking)
    }
}

impl Default for Extent {
    fn default() -> Self {
        Self::new()
    }
}

/// Takes the first value off `rest`, which has been [checked](crate::wire::check::check); `None`: there is none.
pub(crate) fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = Extent::new().look(rest).ok().flatten()?;
    let (value, behind) = rest.split_at_checked(len)?;
    *rest = behind;
    Some(value)
}

/// Takes the text or the bytes off `rest` that it begins with; `None`: there are none.
pub(crate) fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let marker = *rest.first()?;
    if !matches!(marker, 0xa0..=0xbf | 0xc4..=0xc6 | 0xd9..=0xdb) {
        return None;
    }
    let value = take(rest)?;
    let mut text = value;
    let Ok(Item::Scalar { .. }) = Item::read(&mut text) else { return None };
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::check::check;

    fn value() -> impl Strategy<Value = rmpv::Value> {
        let leaf = prop_oneof![
            Just(rmpv::Value::Nil),
            any::<i64>().prop_map(rmpv::Value::from),
            any::<f64>().prop_map(rmpv::Value::from),
            ".{0,40}".prop_map(rmpv::Value::from),
            proptest::collection::vec(any::<u8>(), 0..300).prop_map(rmpv::Value::Binary),
        ];
        leaf.prop_recursive(4, 64, 20, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..20).prop_map(rmpv::Value::Array),
                proptest::collection::vec((inner.clone(), inner), 0..20).prop_map(rmpv::Value::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_end_is_found_however_the_bytes_are_cut(value in value(), cut in any::<prop::sample::Index>(), more in 0..4_usize) {
            let mut bytes = Vec::new();
            rmpv::encode::write_value(&mut bytes, &value).expect("memory takes all");
            let len = bytes.len();
            bytes.resize(len + more, 0xc0);
            let cut = cut.index(len);
            let mut extent = Extent::new();
            prop_assert_eq!(extent.look(&bytes[..cut]), Ok(None));
            prop_assert!(extent.at_least() <= len);
            prop_assert_eq!(extent.look(&bytes), Ok(Some(len)));
        }

        #[test]
        fn what_is_acceptable_ends_where_it_is_said_to(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let end = Extent::new().look(&bytes);
            if check(&bytes).is_ok() {
                prop_assert_eq!(end, Ok(Some(bytes.len())));
            }
        }
    }

    #[test]
    fn a_length_that_cannot_be_is_known_before_the_bytes_come() {
        let mut extent = Extent::new();
        assert_eq!(extent.look(&[0xdd, 0xff, 0xff, 0xff, 0xff]), Ok(None));
        assert!(extent.at_least() > u32::MAX as usize);
    }
}
