//! A hierarchical timing wheel with intrusive nodes: insert, remove and expire in O(1), whatever the number of timers.
//!
//! ```text
//!   level 0: 64 slots of 1 tick      ├─┼─┼─┼─ … ─┤   expires
//!   level 1: 64 slots of 64 ticks    ├───┼─── … ─┤   moves its nodes down when its time comes
//!   ⋮
//!   level 6: 64 slots of 64⁶ ticks
//! ```
//!
//! A node goes to the lowest level whose slots distinguish it from the current tick. A bit mask a level says which slots are
//! occupied, so finding the next one is a rotate and a count.
//!
//! Source: Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987, scheme 7.
//!
//! Invariants:
//! * A node that is armed is in the list of exactly the slot its `place` names, or in `due`.
//! * `elapsed` only grows; every armed node outside `due` has `when > elapsed`.
//! * One thread: nodes are touched only by the worker that owns the wheel.

use std::cell::Cell;
use std::ptr::NonNull;

const LEVELS: usize = 7;
const SLOTS: usize = 64;
const SLOT_BITS: u32 = 6;
/// The longest that a node can be ahead of `elapsed`; what is further is clamped here and placed again later.
const SPAN_MAX: u64 = (1 << (SLOT_BITS * LEVELS as u32)) - 1;

/// Where an armed node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Nowhere,
    Slot { level: u8, slot: u8 },
    Due,
}

type Link = Option<NonNull<Node>>;

/// A timer. Lives in the control block of the fiber that it wakes.
#[derive(Debug)]
pub(crate) struct Node {
    when: Cell<u64>,
    place: Cell<Place>,
    previous: Cell<Link>,
    next: Cell<Link>,
}

impl Default for Node {
    fn default() -> Self {
        Node { when: Cell::new(0), place: Cell::new(Place::Nowhere), previous: Cell::new(None), next: Cell::new(None) }
    }
}

/// A doubly linked list of nodes, by its first.
#[derive(Debug, Default, Clone, Copy)]
struct List(Link);

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Wheel {
    elapsed: u64,
    occupied: [u64; LEVELS],
    slots: Box<[[List; SLOTS]; LEVELS]>,
    /// Nodes whose tick has passed, not yet handed out.
    due: List,
}

impl Wheel {
    pub(crate) fn new() -> Self {
        Wheel { elapsed: 0, occupied: [0; LEVELS], slots: Box::new([[List(None); SLOTS]; LEVELS]), due: List(None) }
    }

    /// Arms `node` for tick `when`.
    ///
    /// # Safety
    ///
    /// `node` is valid, not armed, and stays in place until it was popped or removed.
    pub(crate) unsafe fn insert(&mut self, node: NonNull<Node>, when: u64) {
        // SAFETY: valid, as the caller says.
        let fields = unsafe { node.as_ref() };
        debug_assert_eq!(fields.place.get(), Place::Nowhere, "the node is armed already");
        fields.when.set(when);
        self.place(node, fields);
    }

    /// Disarms `node` if it is armed.
    ///
    /// # Safety
    ///
    /// `node` is valid, and was inserted into no other wheel.
    pub(crate) unsafe fn remove(&mut self, node: NonNull<Node>) {
        // SAFETY: valid, as the caller says.
        let fields = unsafe { node.as_ref() };
        match fields.place.get() {
            Place::Nowhere => {}
            Place::Due => self.due.unlink(fields),
            Place::Slot { level, slot } => {
                let (level, slot) = (level as usize, slot as usize);
                self.slots[level][slot].unlink(fields);
                if self.slots[level][slot].0.is_none() {
                    self.occupied[level] &= !(1 << slot);
                }
            }
        }
    }

    /// The tick that `node` is armed for, if it is.
    ///
    /// # Safety
    ///
    /// `node` is valid.
    pub(crate) unsafe fn armed_for(&self, node: NonNull<Node>) -> Option<u64> {
        // SAFETY: valid, as the caller says.
        let fields = unsafe { node.as_ref() };
        (fields.place.get() != Place::Nowhere).then(|| fields.when.get())
    }

    /// A node whose tick is at or before `now`, disarmed.
    pub(crate) fn pop_expired(&mut self, now: u64) -> Option<NonNull<Node>> {
        loop {
            if let Some(node) = self.due.0 {
                // SAFETY: nodes in a list are armed, and armed nodes are valid.
                self.due.unlink(unsafe { node.as_ref() });
                return Some(node);
            }
            let Some((level, slot, tick)) = self.next_slot().filter(|&(_, _, tick)| tick <= now) else {
                self.elapsed = self.elapsed.max(now);
                return None;
            };
            self.elapsed = tick;
            self.occupied[level] &= !(1 << slot);
            let mut list = std::mem::take(&mut self.slots[level][slot]);
            while let Some(node) = list.0 {
                // SAFETY: as above.
                let fields = unsafe { node.as_ref() };
                list.unlink(fields);
                self.place(node, fields);
            }
        }
    }

    /// The tick at which there may be something to expire: exact for near timers, early for far ones.
    pub(crate) fn next_tick(&self) -> Option<u64> {
        match self.due.0 {
            Some(_) => Some(self.elapsed),
            None => self.next_slot().map(|(_, _, tick)| tick),
        }
    }

    /// Puts a node where its tick belongs now.
    fn place(&mut self, node: NonNull<Node>, fields: &Node) {
        let when = fields.when.get();
        if when <= self.elapsed {
            fields.place.set(Place::Due);
            self.due.push(node, fields);
            return;
        }
        let when = when.min(self.elapsed.saturating_add(SPAN_MAX));
        let differing = (self.elapsed ^ when) | (SLOTS as u64 - 1);
        let level = (((63 - differing.leading_zeros()) / SLOT_BITS) as usize).min(LEVELS - 1);
        let slot = ((when >> (SLOT_BITS * level as u32)) as usize) % SLOTS;
        fields.place.set(Place::Slot { level: level as u8, slot: slot as u8 });
        self.slots[level][slot].push(node, fields);
        self.occupied[level] |= 1 << slot;
    }

    /// The occupied slot that comes up next, and when. Lower levels come up before higher ones.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        let level = self.occupied.iter().position(|&slots| slots != 0)?;
        let shift = SLOT_BITS * level as u32;
        let current = ((self.elapsed >> shift) % SLOTS as u64) as u32;
        // Looked at from the slot behind the current one, which so comes last: an occupied current slot can only be on the
        // top level, and then belongs to the next turn, as do the slots before it.
        let ahead = self.occupied[level].rotate_right((current + 1) % SLOTS as u32).trailing_zeros() + 1;
        let slot = (current + ahead) as usize % SLOTS;
        let turn = 1u64 << (shift + SLOT_BITS);
        let tick = (self.elapsed & !(turn - 1)) + ((slot as u64) << shift);
        Some((level, slot, if tick <= self.elapsed { tick + turn } else { tick }))
    }
}

impl List {
    fn push(&mut self, node: NonNull<Node>, fields: &Node) {
        fields.previous.set(None);
        fields.next.set(self.0);
        if let Some(first) = self.0.replace(node) {
            // SAFETY: nodes in a list are armed, and armed nodes are valid.
            unsafe { first.as_ref() }.previous.set(Some(node));
        }
    }

    fn unlink(&mut self, fields: &Node) {
        let (previous, next) = (fields.previous.take(), fields.next.take());
        match previous {
            // SAFETY: neighbours in a list are armed, and armed nodes are valid.
            Some(previous) => unsafe { previous.as_ref() }.next.set(next),
            None => self.0 = next,
        }
        if let Some(next) = next {
            // SAFETY: as above.
            unsafe { next.as_ref() }.previous.set(previous);
        }
        fields.place.set(Place::Nowhere);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Insert { ahead: u64 },
        Remove { nth: usize },
        Advance { by: u64 },
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let far = prop_oneof![0..3u64, 0..200u64, 0..100_000u64, 0..(1u64 << 45)];
        let step = prop_oneof![
            4 => far.clone().prop_map(|ahead| Step::Insert { ahead }),
            2 => any::<usize>().prop_map(|nth| Step::Remove { nth }),
            3 => far.prop_map(|by| Step::Advance { by }),
        ];
        prop::collection::vec(step, 1..120)
    }

    proptest! {
        /// The wheel against an ordered map: the same timers expire at the same advance, none early, none lost.
        #[test]
        fn the_wheel_agrees_with_an_ordered_map(steps in steps()) {
            let mut wheel = Wheel::new();
            let mut nodes: Vec<Box<Node>> = Vec::new();
            let mut armed: BTreeMap<usize, u64> = BTreeMap::new();
            let mut now = 0u64;
            for step in steps {
                match step {
                    Step::Insert { ahead } => {
                        nodes.push(Box::default());
                        armed.insert(nodes.len() - 1, now + ahead);
                        // SAFETY: boxed nodes stay in place until the end of the test.
                        unsafe { wheel.insert(NonNull::from(&**nodes.last().expect("pushed")), now + ahead) };
                    }
                    Step::Remove { nth } if !nodes.is_empty() => {
                        let index = nth % nodes.len();
                        armed.remove(&index);
                        // SAFETY: a node of this wheel.
                        unsafe { wheel.remove(NonNull::from(&*nodes[index])) };
                    }
                    Step::Remove { .. } => {}
                    Step::Advance { by } => {
                        now += by;
                        let mut expired = Vec::new();
                        while let Some(node) = wheel.pop_expired(now) {
                            let index = nodes.iter().position(|known| NonNull::from(&**known) == node);
                            expired.push(index.expect("a node of ours"));
                        }
                        expired.sort_unstable();
                        let expected: Vec<usize> =
                            armed.iter().filter(|&(_, &when)| when <= now).map(|(&index, _)| index).collect();
                        armed.retain(|_, when| *when > now);
                        prop_assert_eq!(expired, expected);
                    }
                }
                let earliest = armed.values().min().copied();
                prop_assert_eq!(wheel.next_tick().is_some(), earliest.is_some());
                if let (Some(next), Some(earliest)) = (wheel.next_tick(), earliest) {
                    prop_assert!(next <= earliest.max(now), "the wheel would sleep past a timer");
                }
            }
        }
    }
}
