//! A deque in a ring of slots, for what comes and goes with every call: an element is made in its slot and dropped there, and all of it is inlined.
//! (std's deque moves what it is given by a call, which the processor has wait for what has just been written.)
//!
//! Invariants:
//! * There are no slots, or a power of two. They only become more.
//! * What lies outside of the elements is `None`.

/// See the [module](self).
#[derive(Clone, Debug)]
pub(super) struct Ring<T> {
    slots: Box<[Option<T>]>,
    first: usize,
    len: usize,
}

impl<T> Ring<T> {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Where the element of that place is, or would be.
    #[inline(always)]
    fn slot(&self, place: usize) -> usize {
        self.first.wrapping_add(place) & self.slots.len().wrapping_sub(1)
    }

    #[inline(always)] // Where the element is made.
    pub(super) fn push_back(&mut self, element: T) {
        if self.len == self.slots.len() {
            self.grow();
        }
        let at = self.slot(self.len);
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = Some(element);
            self.len += 1;
        }
    }

    #[inline]
    pub(super) fn pop_front(&mut self) -> Option<T> {
        let first = self.slots.get_mut(self.first)?.take()?;
        self.pass_first();
        Some(first)
    }

    /// Drops the first, if there is one and it `is` so.
    #[inline(always)]
    pub(super) fn drop_front_if(&mut self, is: impl FnOnce(&T) -> bool) -> bool {
        let Some(slot) = self.slots.get_mut(self.first) else { return false };
        let is = slot.as_ref().is_some_and(is);
        if is {
            *slot = None;
            self.pass_first();
        }
        is
    }

    #[inline(always)]
    fn pass_first(&mut self) {
        self.first = self.slot(1);
        self.len -= 1;
    }

    #[inline(always)]
    pub(super) fn get(&self, place: usize) -> Option<&T> {
        // Beyond the last, one of the first might be found again.
        if place < self.len { self.slots.get(self.slot(place))?.as_ref() } else { None }
    }

    #[inline(always)]
    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        let at = self.slot(place);
        if place < self.len { self.slots.get_mut(at)?.as_mut() } else { None }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.len).filter_map(|place| self.get(place))
    }

    #[cold]
    fn grow(&mut self) {
        let mut slots = Vec::with_capacity(4.max(2 * self.slots.len()));
        while let Some(element) = self.pop_front() {
            slots.push(Some(element));
        }
        (self.first, self.len) = (0, slots.len());
        slots.resize_with(slots.capacity().next_power_of_two(), || None);
        self.slots = slots.into_boxed_slice();
    }
}

impl<T> FromIterator<T> for Ring<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        let mut ring = Self { slots: Box::default(), first: 0, len: 0 };
        elements.into_iter().for_each(|element| ring.push_back(element));
        ring
    }
}
