//! A deque whose first element is in place: of those that nearly always hold one or none, of which there are many.
//!
//! Invariant: once it has held more than one, all that it holds is in a box, and it is a deque as any other.

use std::collections::VecDeque;
use std::ops::{Index, IndexMut};

/// See the [module](self).
#[derive(Clone, Debug)]
pub(super) struct ShortDeque<T> {
    /// Taken only while there is no box.
    first: Option<T>,
    #[expect(clippy::box_collection, reason = "a pointer instead of four words, and nearly always none")]
    all: Option<Box<VecDeque<T>>>,
}

impl<T> ShortDeque<T> {
    pub(super) const fn new() -> Self {
        Self { first: None, all: None }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.all.as_ref().map_or(usize::from(self.first.is_some()), |all| all.len())
    }

    #[inline]
    pub(super) fn push_back(&mut self, element: T) {
        match &mut self.all {
            Some(all) => all.push_back(element),
            None if self.first.is_none() => self.first = Some(element),
            None => self.outgrow(element),
        }
    }

    #[cold]
    fn outgrow(&mut self, element: T) {
        self.all = Some(Box::new(self.first.take().into_iter().chain([element]).collect()));
    }

    #[inline]
    pub(super) fn pop_front(&mut self) -> Option<T> {
        match &mut self.all {
            Some(all) => all.pop_front(),
            None => self.first.take(),
        }
    }

    #[inline]
    pub(super) fn get(&self, place: usize) -> Option<&T> {
        match &self.all {
            Some(all) => all.get(place),
            None => self.first.as_ref().filter(|_| place == 0),
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        match &mut self.all {
            Some(all) => all.get_mut(place),
            None => self.first.as_mut().filter(|_| place == 0),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(self.all.iter().flat_map(|all| all.iter()))
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
        assert!(short.all.is_none());
    }
}
