//! A piece of the input buffer, kept alive by count: a frame's body without a copy.
//!
//! Invariant: whoever fills the buffer does so only when no [`Bytes`] of it are alive (see
//! [`Decoder::space`](super::decode::Decoder::space)), so that a piece never changes under its holder.

use std::fmt;
use std::ops::{Deref, Range};
use std::rc::Rc;

/// A shared, read-only piece of a connection's input. Stays on its thread, as the connection does.
#[derive(Clone, Default)]
pub struct Bytes {
    /// `None`: what is empty holds no buffer.
    chunk: Option<Rc<Vec<u8>>>,
    range: Range<usize>,
}

impl Bytes {
    /// `range` must lie within `chunk`; the decoder has looked.
    #[inline]
    pub(super) fn new(chunk: &Rc<Vec<u8>>, range: Range<usize>) -> Self {
        debug_assert!(range.start <= range.end && range.end <= chunk.len());
        Self { chunk: Some(Rc::clone(chunk)), range }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.chunk.as_ref().and_then(|chunk| chunk.get(self.range.clone())).unwrap_or_default()
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        let range = 0..bytes.len();
        Self { chunk: Some(Rc::new(bytes)), range }
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Bytes {}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.escape_ascii())
    }
}
