//! A reply that is kept for a copy of its call: nearly always a short one, which needs no allocation.

/// Replies of up to so many bytes, header included, are kept in place; longer ones each in an allocation of their own.
const IN_PLACE_MAX: usize = 30;

/// See the [module](self).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Short { len: u8, bytes: [u8; IN_PLACE_MAX] },
    Long(Box<[u8]>),
}

impl Kept {
    pub(super) const EMPTY: Self = Self::Short { len: 0, bytes: [0; IN_PLACE_MAX] };

    pub(super) fn new(reply: &[u8]) -> Self {
        let mut kept = Self::EMPTY;
        kept.keep(reply);
        kept
    }

    /// Keeps `reply` instead, made where it is to lie: to move what has just been written takes longer than to write it.
    #[inline(always)]
    pub(super) fn keep(&mut self, reply: &[u8]) {
        match self {
            Self::Short { len, bytes } if reply.len() <= IN_PLACE_MAX => {
                *len = reply.len() as u8;
                // Most are a header and a little: two copies that overlap, of a length that the compiler knows, take less than one of any
                // length.
                if let (Some(head), Some(tail)) = (reply.first_chunk::<16>(), reply.last_chunk::<16>())
                    && let Some(place) = bytes.get_mut(reply.len() - 16..reply.len())
                {
                    place.copy_from_slice(tail);
                    bytes[..16].copy_from_slice(head);
                } else if let Some(place) = bytes.get_mut(..reply.len()) {
                    place.copy_from_slice(reply);
                }
            }
            _ => *self = Self::Long(reply.into()),
        }
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Short { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Long(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_its_bytes_are_kept_however_many() {
        let reply: Vec<u8> = (0..=u8::MAX).cycle().take(1_000).collect();
        for len in 0..=reply.len() {
            let kept = Kept::new(&reply[..len]);
            assert_eq!(kept.bytes(), &reply[..len]);
            assert_eq!(matches!(kept, Kept::Short { .. }), len <= IN_PLACE_MAX);
        }
        assert!(size_of::<Kept>() <= 32, "{}", size_of::<Kept>());
    }
}
