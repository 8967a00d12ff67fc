//! A deque whose first element is in place: of those that nearly always hold one or none, of which there are many.
//!
//! Invariant: once it has held more than one, all that it holds is in a box, and it is a deque as any other.

use std::mem;
use std::ops::{Index, IndexMut};

use super::ring::Ring;

/// See the [module](self).
#[derive(Clone, Debug)]
pub(super) enum ShortDeque<T> {
    Empty,
    One(T),
    Many(Box<Ring<T>>),
}

impl<T> ShortDeque<T> {
    pub(super) const fn new() -> Self {
        Self::Empty
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        // Here and below: one comparison for a busy one. Telling all three apart takes several, since they share a byte with the element.
        if let Self::Many(all) = self {
            return all.len();
        }
        usize::from(matches!(self, Self::One(_)))
    }

    #[inline]
    pub(super) fn push_back(&mut self, element: T) {
        if let Self::Many(all) = self {
            return all.push_back(element);
        }
        match self {
            // Forgotten instead of dropped: there is nothing to drop, which the compiler does not see.
            Self::Empty => mem::forget(mem::replace(self, Self::One(element))),
            _ => self.outgrow(element),
        }
    }

    #[cold]
    fn outgrow(&mut self, element: T) {
        let all = self.pop_front().into_iter().chain([element]).collect();
        *self = Self::Many(Box::new(all));
    }

    #[inline]
    pub(super) fn pop_front(&mut self) -> Option<T> {
        if let Self::Many(all) = self {
            return all.pop_front();
        }
        match mem::replace(self, Self::Empty) {
            Self::One(first) => Some(first),
            Self::Empty | Self::Many(_) => None,
        }
    }

    #[inline]
    pub(super) fn get(&self, place: usize) -> Option<&T> {
        if let Self::Many(all) = self {
            return all.get(place);
        }
        match self {
            Self::One(first) if place == 0 => Some(first),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        match self {
            Self::Many(all) => all.get_mut(place),
            _ => self.only_mut().filter(|_| place == 0),
        }
    }

    fn only_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::One(only) => Some(only),
            _ => None,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        let (first, all) = match self {
            Self::Empty => (None, None),
            Self::One(first) => (Some(first), None),
            Self::Many(all) => (None, Some(all)),
        };
        first.into_iter().chain(all.into_iter().flat_map(|all| all.iter()))
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
    use std::collections::VecDeque;

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
        assert!(matches!(short, ShortDeque::Empty));
    }
}
