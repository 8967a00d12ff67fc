//! The token by which a fiber parks and is woken: three states, as in std's thread parker.
//!
//! ```text
//!   park     EMPTY ──▶ PARKED, and switch away;   NOTIFIED ──▶ EMPTY, and go on at once
//!   notify   EMPTY ──▶ NOTIFIED;                  PARKED ──▶ NOTIFIED, and the fiber is to be queued
//!   resume   NOTIFIED ──▶ EMPTY
//! ```
//!
//! While a woken fiber waits in a queue the state is NOTIFIED, so further wakes merge with the first.
//!
//! Invariant: only the home worker's thread touches it, so it is a plain cell. Fibers wake fibers of their own worker far more often than
//! any others, and a locked instruction costs as much as the whole switch. Other threads [ask](super::ask) the home worker.

use std::cell::Cell;

/// See the [module](self).
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Token(Cell<State>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum State {
    Empty,
    Notified,
    Parked,
}

impl Token {
    /// What a debugger finds in the token of a parked fiber.
    pub(super) const PARKED: u8 = State::Parked as u8;

    pub(super) const fn new() -> Self {
        Token(Cell::new(State::Empty))
    }

    /// Whether parking now would return at once.
    #[inline]
    pub(crate) fn is_given(&self) -> bool {
        self.0.get() == State::Notified
    }

    /// Whether the fiber waits for it.
    #[inline]
    pub(crate) fn is_awaited(&self) -> bool {
        self.0.get() == State::Parked
    }

    /// The fiber's half of parking. `true`: parked, switch away now; `false`: the token was there and is consumed.
    #[inline]
    pub(crate) fn park(&self) -> bool {
        let is_given = self.is_given();
        self.0.set(if is_given { State::Empty } else { State::Parked });
        !is_given
    }

    /// Gives the token. `true`: the fiber was parked, and the caller is to queue it.
    #[inline]
    pub(crate) fn give(&self) -> bool {
        self.0.replace(State::Notified) == State::Parked
    }

    /// The parked fiber runs again: the token that it was woken by is consumed.
    #[inline]
    pub(crate) fn take(&self) {
        self.0.set(State::Empty);
    }
}

#[cfg(test)]
mod tests {
    use super::Token;

    #[test]
    fn a_token_given_early_spares_the_park() {
        let token = Token::new();
        assert!(!token.give(), "nobody waits");
        assert!(!token.give(), "tokens merge");
        assert!(!token.park());
        assert!(token.park(), "it was consumed");
    }

    #[test]
    fn a_parked_fiber_is_queued_once() {
        let token = Token::new();
        assert!(token.park());
        assert!(token.give());
        assert!(!token.give(), "it is on its way");
        token.take();
        assert!(token.park(), "both wakes were one");
    }
}
