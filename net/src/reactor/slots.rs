//! Who the tokens in epoll belong to.
//!
//! A token is a slot's index and the generation of its tenant. A socket may be gone, and its slot let again, while the kernel
//! still reports it: within one batch of events, or for as long as somebody else holds a duplicate of the descriptor. Such a
//! token names a generation that no longer lives there, and finds nobody.
//!
//! Invariant: an index is below `u32::MAX`, so no token equals `usize::MAX`, which is the waker's.

use std::io;
use std::sync::Arc;

use mio::Token;
use slab::Slab;

use crate::registration::Sides;

const _: () = assert!(usize::BITS == 64, "a token holds two 32-bit numbers");

/// The reactor's sockets. See the [module](self).
#[derive(Debug)]
pub(super) struct Slots {
    slab: Slab<Slot>,
    generation: u32,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    sides: Arc<Sides>,
}

impl Slots {
    pub(super) const fn new() -> Self {
        Self { slab: Slab::new(), generation: 0 }
    }

    /// A slot for `sides`, and the token of its tenancy.
    ///
    /// # Errors
    ///
    /// `OutOfMemory` beyond 2^32 - 1 sockets.
    pub(super) fn insert(&mut self, sides: Arc<Sides>) -> io::Result<(u32, Token)> {
        let entry = self.slab.vacant_entry();
        let index = u32::try_from(entry.key()).ok().filter(|index| *index != u32::MAX);
        let index = index.ok_or(io::ErrorKind::OutOfMemory)?;
        self.generation = self.generation.wrapping_add(1);
        entry.insert(Slot { generation: self.generation, sides });
        Ok((index, Token((self.generation as usize) << 32 | index as usize)))
    }

    pub(super) fn get(&self, token: Token) -> Option<&Arc<Sides>> {
        let (index, generation) = parts(token);
        let slot = self.slab.get(index)?;
        (slot.generation == generation).then_some(&slot.sides)
    }

    /// Frees the slot; its tenant does so, once.
    pub(super) fn remove(&mut self, slot: u32) {
        self.slab.try_remove(slot as usize);
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Arc<Sides>> {
        self.slab.drain().map(|slot| slot.sides)
    }
}

/// Index and generation.
fn parts(token: Token) -> (usize, u32) {
    (token.0 & u32::MAX as usize, (token.0 >> 32) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_token_finds_nobody() -> io::Result<()> {
        let mut slots = Slots::new();
        let (slot, old) = slots.insert(Arc::new(Sides::new()))?;
        slots.remove(slot);
        let tenant = Arc::new(Sides::new());
        let (again, new) = slots.insert(Arc::clone(&tenant))?;
        assert_eq!(slot, again, "the slot is let again");
        assert!(slots.get(old).is_none());
        assert!(slots.get(new).is_some_and(|sides| Arc::ptr_eq(sides, &tenant)));
        Ok(())
    }

    #[test]
    fn freed_slots_are_let_again_before_new_ones() -> io::Result<()> {
        let mut slots = Slots::new();
        for _ in 0..1000 {
            let (slot, _) = slots.insert(Arc::new(Sides::new()))?;
            slots.remove(slot);
        }
        assert_eq!((slots.len(), slots.slab.capacity() < 10), (0, true));
        Ok(())
    }

    #[test]
    fn no_slot_has_the_token_of_the_waker() -> io::Result<()> {
        let mut slots = Slots { slab: Slab::new(), generation: u32::MAX - 1 };
        let (_, token) = slots.insert(Arc::new(Sides::new()))?;
        assert_eq!(token.0 >> 32, u32::MAX as usize);
        assert_ne!(token, super::super::WAKE);
        Ok(())
    }
}
