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

use crate::registration::{Registered, Registration, Tie};

const _: () = assert!(usize::BITS == 64, "a token holds two 32-bit numbers");

/// The reactor's sockets, in two words each. See the [module](self).
#[derive(Debug)]
pub(super) struct Slots {
    ties: Vec<Option<Tie>>,
    /// The slots to let again; last the one that was freed last.
    vacant: Vec<u32>,
    generation: u32,
}

impl Slots {
    pub(super) const fn new() -> Self {
        Self { ties: Vec::new(), vacant: Vec::new(), generation: 0 }
    }

    /// A slot for the socket of `registration`, to which `tie` leads, and the token of its tenancy.
    ///
    /// # Errors
    ///
    /// `OutOfMemory` beyond 2^32 - 1 sockets.
    pub(super) fn insert(&mut self, registration: &Registration, tie: Tie) -> io::Result<(u32, Token)> {
        let index = match self.vacant.pop() {
            Some(index) => index,
            None => {
                let index = u32::try_from(self.ties.len()).ok().filter(|index| *index != u32::MAX);
                let index = index.ok_or(io::ErrorKind::OutOfMemory)?;
                self.ties.push(None);
                index
            }
        };
        self.generation = self.generation.wrapping_add(1);
        registration.settle(index, self.generation);
        self.ties[index as usize] = Some(tie);
        Ok((index, Token((self.generation as usize) << 32 | index as usize)))
    }

    /// Whose token that is, unless it has been closed.
    #[inline] // Into the reactor's loop, wherever the crate is cut for compiling.
    pub(super) fn get(&self, token: Token) -> Option<Arc<dyn Registered>> {
        let (index, generation) = parts(token);
        let registered = self.ties.get(index)?.as_ref()?.get()?;
        (registered.registration().generation() == generation).then_some(registered)
    }

    /// Frees the slot; its tenant does so, once.
    pub(super) fn remove(&mut self, slot: u32) {
        if self.ties.get_mut(slot as usize).and_then(Option::take).is_some() {
            self.vacant.push(slot);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ties.len() - self.vacant.len()
    }

    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Tie> + use<> {
        self.vacant.clear();
        std::mem::take(&mut self.ties).into_iter().flatten()
    }
}

/// Index and generation.
fn parts(token: Token) -> (usize, u32) {
    (token.0 & u32::MAX as usize, (token.0 >> 32) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(slots: &mut Slots, tenant: &Arc<Registration>) -> io::Result<(u32, Token)> {
        slots.insert(tenant, Tie::to(tenant))
    }

    #[test]
    fn a_stale_token_finds_nobody() -> io::Result<()> {
        let mut slots = Slots::new();
        let former = Arc::new(Registration::new());
        let (slot, old) = insert(&mut slots, &former)?;
        slots.remove(slot);
        let tenant = Arc::new(Registration::new());
        let (again, new) = insert(&mut slots, &tenant)?;
        assert_eq!(slot, again, "the slot is let again");
        assert!(slots.get(old).is_none());
        assert!(slots.get(new).is_some_and(|found| std::ptr::eq(found.registration(), &*tenant)));
        drop(tenant);
        assert!(slots.get(new).is_none(), "a slot keeps nobody");
        Ok(())
    }

    #[test]
    fn freed_slots_are_let_again_before_new_ones() -> io::Result<()> {
        let mut slots = Slots::new();
        let tenant = Arc::new(Registration::new());
        for _ in 0..1000 {
            let (slot, _) = insert(&mut slots, &tenant)?;
            slots.remove(slot);
            slots.remove(slot);
        }
        assert_eq!((slots.len(), slots.ties.len(), slots.vacant.len()), (0, 1, 1));
        Ok(())
    }

    #[test]
    fn no_slot_has_the_token_of_the_waker() -> io::Result<()> {
        let mut slots = Slots { generation: u32::MAX - 1, ..Slots::new() };
        let (_, token) = insert(&mut slots, &Arc::new(Registration::new()))?;
        assert_eq!(token.0 >> 32, u32::MAX as usize);
        assert_ne!(token, super::super::WAKE);
        Ok(())
    }

    /// A server has one for each connection.
    #[test]
    fn a_slot_is_two_words() {
        assert_eq!(size_of::<Option<Tie>>(), 16);
    }
}
