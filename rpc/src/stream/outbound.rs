//! The sending half of a stream: what credit there is, and who may use it.
//!
//! An item that the credit covers is sent whole. While it does not, one that is long goes in pieces, as credit comes; then it is the only one
//! on its way, so that pieces of two never mix.
//!
//! Invariants:
//! * What is sent, counted with its headers, is at most the credit that was given.
//! * An item whose first piece was sent is sent to its end, or nothing of this stream is sent any more.

use super::flow::{Violation, cost};
use crate::limits::{STREAM_CREDIT_MAX, STREAM_PIECE_BYTES_MAX, STREAM_PIECE_BYTES_MIN};

/// See the [module](self).
///
/// ```
/// use fibra_rpc::stream::outbound::{Next, Outbound};
///
/// let mut outbound = Outbound::new(1024);
/// assert_eq!(outbound.next(500, false), Next::Piece { len: 500 });
/// assert_eq!(outbound.next(800, false), Next::Wait);
/// outbound.grant(1024).unwrap();
/// assert_eq!(outbound.next(800, false), Next::Piece { len: 800 });
/// ```
#[derive(Debug)]
pub struct Outbound {
    credit: usize,
    /// Credit that is sure to come, as long as the peer takes items: less would not have to be waited for.
    sure: usize,
    /// An item is on its way in pieces.
    within_item: bool,
    over: Option<Over>,
}

/// Why nothing is sent any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// This side has ended it.
    Ended,
    /// The peer takes no more.
    Stopped,
}

/// What to do with the rest of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Send so many bytes of it. The credit for them has been taken.
    Piece {
        /// At least 1.
        len: usize,
    },
    /// Wait until there is more credit, or another item is through.
    Wait,
    /// Nothing can be sent.
    Over(Over),
}

impl Outbound {
    /// There are `credit` bytes of credit.
    pub fn new(credit: usize) -> Self {
        Self { credit, sure: credit / 2, within_item: false, over: None }
    }

    /// As [`new`](Self::new), of credit that a peer gives.
    ///
    /// # Errors
    ///
    /// [`Violation::TooMuchCredit`].
    pub fn given(credit: u32) -> Result<Self, Violation> {
        let credit = if credit > STREAM_CREDIT_MAX { Err(Violation::TooMuchCredit) } else { Ok(credit) }?;
        Ok(Self::new(usize::try_from(credit).unwrap_or(usize::MAX)))
    }

    /// What to do with the `rest` of an item, of which something has been sent if it has `begun`. An item is at least one byte long.
    pub fn next(&mut self, rest: usize, begun: bool) -> Next {
        if let Some(over) = self.over {
            return Next::Over(over);
        }
        if self.within_item && !begun {
            return Next::Wait;
        }
        let affordable = self.credit.saturating_sub(cost(0));
        let len = rest.min(STREAM_PIECE_BYTES_MAX).min(affordable);
        let least = rest.min(STREAM_PIECE_BYTES_MIN).min(self.sure.saturating_sub(cost(0))).max(1);
        if len < least {
            return Next::Wait;
        }
        self.credit -= cost(len);
        self.within_item = len < rest;
        Next::Piece { len }
    }

    /// The peer gives so much more credit.
    ///
    /// # Errors
    ///
    /// [`Violation::TooMuchCredit`].
    pub fn grant(&mut self, bytes: u32) -> Result<(), Violation> {
        self.credit += usize::try_from(bytes).unwrap_or(usize::MAX);
        if self.credit > STREAM_CREDIT_MAX as usize { Err(Violation::TooMuchCredit) } else { Ok(()) }
    }

    /// The peer takes no more.
    pub fn stop(&mut self) {
        self.over = self.over.or(Some(Over::Stopped));
    }

    /// This side sends no more. Whether the peer is to be told, and an item was cut short.
    pub fn end(&mut self) -> Option<bool> {
        let first = self.over != Some(Over::Ended);
        self.over = Some(Over::Ended);
        first.then_some(self.within_item)
    }

    /// Whether this side has ended it.
    pub fn has_ended(&self) -> bool {
        self.over == Some(Over::Ended)
    }
}
