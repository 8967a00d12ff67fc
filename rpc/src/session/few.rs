//! A vector that is nearly always empty, and then one word.

/// See the [module](self).
#[derive(Clone, Debug)]
#[expect(clippy::box_collection, reason = "a pointer instead of three words")]
pub(super) struct Few<T>(Option<Box<Vec<T>>>);

impl<T> Few<T> {
    pub(super) const fn new() -> Self {
        Self(None)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|elements| elements.is_empty())
    }

    pub(super) fn push(&mut self, element: T) {
        self.0.get_or_insert_default().push(element);
    }

    pub(super) fn retain(&mut self, is_kept: impl FnMut(&T) -> bool) {
        if let Some(elements) = &mut self.0 {
            elements.retain(is_kept);
        }
    }

    /// Takes out one that `is` it.
    pub(super) fn take(&mut self, is: impl FnMut(&T) -> bool) -> Option<T> {
        let elements = self.0.as_mut()?;
        let taken = elements.iter().position(is).map(|place| elements.swap_remove(place));
        if elements.is_empty() {
            self.0 = None;
        }
        taken
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
