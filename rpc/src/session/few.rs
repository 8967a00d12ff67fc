//! A vector that is nearly always empty, and then one word.

/// See the [module](self).
#[derive(Clone, Debug)]
#[expect(clippy::box_collection, reason = "a pointer instead of three words")]
pub(super) struct Few<T>(Option<Box<Vec<T>>>);

impl<T> Few<T> {
    pub(super) const fn new() -> Self {
        Self(None)
    }

    /// Whether there never were any.
    #[inline]
    pub(super) fn are_none(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn push(&mut self, element: T) {
        self.0.get_or_insert_default().push(element);
    }

    pub(super) fn retain(&mut self, is_kept: impl FnMut(&T) -> bool) {
        if let Some(elements) = &mut self.0 {
            elements.retain(is_kept);
        }
    }

    #[inline]
    pub(super) fn into_vec(self) -> Vec<T> {
        self.0.map_or_else(Vec::new, |elements| *elements)
    }
}

impl<T> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.into_vec().into_iter()
    }
}
