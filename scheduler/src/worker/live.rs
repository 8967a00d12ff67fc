//! The fibers that a worker has started and that have not ended: a table with stable keys.
//!
//! ```text
//!   first ─▶ │ fiber │ free: 4 │ fiber │ fiber │ free: none │      used = 5
//!                      ▲ free = 1
//! ```
//!
//! A word a slot: a pointer to a control block, or, with the lowest bit set, the key of the next free slot. Not a `slab::Slab`, so that
//! a [debugger](crate::dump::debugger) can read it: how other crates and std lay out their types is theirs to change.
//!
//! Invariant: `first` and `used` say where the slots are at every moment, also while the table grows or shrinks.

use std::mem::offset_of;
use std::ptr::{self, NonNull};

use crate::control::Control;
use crate::dump::debugger::Field;

/// How many slots the first fiber makes room for.
const FIRST_CAPACITY: usize = 64;

/// How many slots a table keeps in any case.
const KEPT_CAPACITY: usize = 1024;

/// The key of no slot.
const NONE: usize = usize::MAX >> 1;

/// See the [module](self).
#[repr(C)]
#[derive(Debug)]
pub(super) struct Live {
    first: *const Slot,
    used: usize,
    slots: Vec<Slot>,
    /// The first free slot among those in use before, or [`NONE`].
    free: usize,
    len: usize,
    /// A slot that kept the table from being cut when it was last looked at, if it is still in use.
    last: usize,
}

#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
struct Slot(*mut Control);

// The lowest bit of a control block's address is free.
const _: () = assert!(align_of::<Control>() > 1);

impl Live {
    /// What a debugger must know of it.
    pub(super) const FIELDS: [Field; 2] =
        [Field::number("live.first", offset_of!(Live, first)), Field::number("live.used", offset_of!(Live, used))];

    /// Adds a fiber; the key stays its until it is removed.
    #[inline]
    pub(super) fn insert(&mut self, fiber: NonNull<Control>) -> usize {
        self.len += 1;
        let key = self.free;
        if let Some(slot) = self.slots.get_mut(key) {
            self.free = slot.next_free();
            *slot = Slot(fiber.as_ptr());
            return key;
        }
        if self.used == self.slots.capacity() {
            self.grow();
        }
        let key = self.used;
        self.slots.push(Slot(fiber.as_ptr()));
        self.used += 1;
        key
    }

    /// Removes the fiber of that key.
    #[inline]
    pub(super) fn remove(&mut self, key: usize) {
        debug_assert!(self.get(key).is_some());
        self.slots[key] = Slot::free(self.free);
        self.free = key;
        self.len -= 1;
    }

    pub(super) fn get(&self, key: usize) -> Option<NonNull<Control>> {
        self.slots.get(key)?.fiber()
    }

    /// The fibers and their keys, in the order of the keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, NonNull<Control>)> {
        self.slots.iter().enumerate().filter_map(|(key, slot)| Some((key, slot.fiber()?)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All keys are below this.
    pub(super) fn keys_end(&self) -> usize {
        self.used
    }

    /// Gives back room that a burst has left behind: cuts off the slots behind the last fiber, if that is most of them. To be called from
    /// time to time; costs nothing while there is nothing to gain.
    pub(super) fn trim(&mut self) {
        let room = self.slots.capacity();
        if room <= KEPT_CAPACITY || self.len > room / 4 || self.get(self.last).is_some() {
            return;
        }
        let used = self.slots.iter().rposition(|slot| slot.fiber().is_some()).map_or(0, |last| last + 1);
        if used > room / 2 {
            self.last = used - 1;
        } else {
            self.cut(used);
        }
    }

    #[cold]
    fn cut(&mut self, used: usize) {
        let mut cut = Vec::with_capacity((2 * used).max(FIRST_CAPACITY));
        cut.extend_from_slice(&self.slots[..used]);
        self.free = NONE;
        for (key, slot) in cut.iter_mut().enumerate().filter(|(_, slot)| slot.fiber().is_none()) {
            *slot = Slot::free(self.free);
            self.free = key;
        }
        self.last = NONE;
        // Fewer first, which the old slots have as well.
        self.used = used;
        self.first = cut.as_ptr();
        self.slots = cut;
    }

    /// Takes twice the room. The old slots are freed when `first` points to the new ones.
    #[cold]
    fn grow(&mut self) {
        let mut grown = Vec::with_capacity((2 * self.used).max(FIRST_CAPACITY));
        grown.extend_from_slice(&self.slots);
        self.first = grown.as_ptr();
        self.slots = grown;
    }
}

impl Default for Live {
    fn default() -> Self {
        Live { first: ptr::null(), used: 0, slots: Vec::new(), free: NONE, len: 0, last: NONE }
    }
}

impl Slot {
    fn free(next: usize) -> Self {
        Slot(ptr::without_provenance_mut(next << 1 | 1))
    }

    fn fiber(self) -> Option<NonNull<Control>> {
        if self.0.addr() & 1 == 0 { NonNull::new(self.0) } else { None }
    }

    fn next_free(self) -> usize {
        self.0.addr() >> 1
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// Something to tell fibers apart by; never looked at.
    fn fiber(number: usize) -> NonNull<Control> {
        NonNull::without_provenance((number * align_of::<Control>()).try_into().expect("not zero"))
    }

    proptest! {
        /// Against a map: true inserts, false removes one of those that are there.
        #[test]
        fn a_key_is_its_fibers_until_it_is_removed(steps in prop::collection::vec((any::<bool>(), any::<usize>()), 0..500)) {
            let (mut live, mut model) = (Live::default(), HashMap::new());
            for (number, (inserts, which)) in (1..).zip(steps) {
                let keys: Vec<usize> = model.keys().copied().collect();
                if inserts || keys.is_empty() {
                    let key = live.insert(fiber(number));
                    prop_assert!(key < live.keys_end() && model.insert(key, fiber(number)).is_none());
                } else {
                    let key = keys[which % keys.len()];
                    live.remove(key);
                    model.remove(&key);
                    prop_assert_eq!(live.get(key), None);
                }
                prop_assert_eq!(live.iter().collect::<HashMap<_, _>>(), model.clone());
                prop_assert_eq!(live.is_empty(), model.is_empty());
                prop_assert_eq!((live.first, live.used), (live.slots.as_ptr(), live.slots.len()));
            }
        }
    }

    #[test]
    fn a_burst_leaves_no_room_behind() {
        const BURST: usize = 10_000;
        let mut live = Live::default();
        let keys: Vec<usize> = (1..=BURST).map(|number| live.insert(fiber(number))).collect();
        let (low, high) = (keys[3], keys[BURST - 1]);
        keys.iter().filter(|&&key| key != low && key != high).for_each(|&key| live.remove(key));
        live.trim();
        assert_eq!(live.keys_end(), BURST, "the last one keeps its key");
        live.remove(high);
        live.trim();
        assert_eq!(live.keys_end(), low + 1);
        assert!(live.slots.capacity() <= FIRST_CAPACITY);
        assert_eq!((live.first, live.used), (live.slots.as_ptr(), live.slots.len()));
        // What is left is in its place, and the others are free, each once.
        assert_eq!(live.iter().collect::<Vec<_>>(), [(low, fiber(4))]);
        let mut again: Vec<usize> = (1..=5).map(|number| live.insert(fiber(number))).collect();
        again.sort_unstable();
        assert_eq!(again, [0, 1, 2, 4, 5]);
    }

    #[test]
    fn a_freed_slot_is_used_again() {
        let mut live = Live::default();
        let keys: Vec<usize> = (1..=1000).map(|number| live.insert(fiber(number))).collect();
        keys.iter().for_each(|&key| live.remove(key));
        assert!((1..=1000).all(|number| live.insert(fiber(number)) < 1000));
        assert_eq!(live.keys_end(), 1000);
    }
}
