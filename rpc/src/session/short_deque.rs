//! A deque whose first element is in place: of those that nearly always hold one or none, of which there are many.
//!
//! Invariants:
//! * If anything is in it, the first is in place.
//! * The rest has a box once there has been any.

use std::collections::VecDeque;
use std::ops::{Index, IndexMut};

/// See the [module](self).
#[derive(Clone, Debug)]
pub(super) struct ShortDeque<T> {
    first: Option<T>,
    #[expect(clippy::box_collection, reason = "a pointer instead of four words, and nearly always none")]
    rest: Option<Box<VecDeque<T>>>,
}

impl<T> ShortDeque<T> {
    pub(super) const fn new() -> Self {
        Self { first: None, rest: None }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.as_ref().map_or(0, |rest| rest.len())
    }

    #[inline]
    pub(super) fn push_back(&mut self, element: T) {
        if self.first.is_none() {
            self.first = Some(element);
        } else {
            self.rest.get_or_insert_default().push_back(element);
        }
    }

    #[inline]
    pub(super) fn pop_front(&mut self) -> Option<T> {
        let first = self.first.take();
        if let Some(rest) = &mut self.rest {
            self.first = rest.pop_front();
        }
        first
    }

    #[inline]
    pub(super) fn get(&self, place: usize) -> Option<&T> {
        match place.checked_sub(1) {
            None => self.first.as_ref(),
            Some(place) => self.rest.as_ref()?.get(place),
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        match place.checked_sub(1) {
            None => self.first.as_mut(),
            Some(place) => self.rest.as_mut()?.get_mut(place),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(self.rest.iter().flat_map(|rest| rest.iter()))
    }
}

impl<T> Index<usize> for ShortDeque<T> {
    type Output = T;

    #[inline]
    fn index(&self, place: usize) -> &T {
        self.get(place).expect("within it")
    }
}

impl<T> IndexMut<usize> for ShortDeque<T> {
    #[inline]
    fn index_mut(&mut self, place: usize) -> &mut T {
        self.get_mut(place).expect("within it")
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_deque(steps in vec(any::<Option<u8>>(), 0..100)) {
            let (mut short, mut model) = (ShortDeque::new(), VecDeque::new());
            for step in steps {
                match step {
                    Some(element) => {
                        short.push_back(element);
                        model.push_back(element);
                    }
                    None => prop_assert_eq!(short.pop_front(), model.pop_front()),
                }
                prop_assert_eq!(short.len(), model.len());
                prop_assert!(short.iter().eq(&model));
                for place in 0..=model.len() {
                    prop_assert_eq!(short.get(place), model.get(place));
                    prop_assert_eq!(short.get_mut(place), model.get_mut(place));
                }
            }
        }
    }

    #[test]
    fn one_at_a_time_needs_no_box() {
        let mut short = ShortDeque::new();
        for element in 0..10 {
            short.push_back(element);
            assert_eq!(short.pop_front(), Some(element));
        }
        assert!(short.rest.is_none());
    }
}
