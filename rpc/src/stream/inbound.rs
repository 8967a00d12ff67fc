//! The receiving half of a stream: what has come and was not taken, and what may still come.
//!
//! ```text
//!   receive ─▶ │ item │ item │ item, in part │ ─▶ take         credit + what is queued + what is owed = window
//!              └──────── queued ─────────────┘
//! ```
//!
//! What was taken is owed to the sender, and [granted](Inbound::grant) again once it is half a window: so there are at most two grants to
//! a window of items. Who takes also takes the beginning of an item, so that an item larger than the window comes through; who does not
//! take holds no more than the window.
//!
//! Invariants:
//! * What is queued, counted with its headers, is at most the window.
//! * Items are taken whole, each once, in the order in which they came, and all of them before the end.
//! * No input makes a function here panic, or allocate more than a few times the window.

use std::collections::VecDeque;

use super::flow::{Violation, cost};
use crate::limits::READ_BYTES;

/// A buffer that was longer is cut to this once it has been read empty.
const KEPT_BYTES: usize = 2 * READ_BYTES;

/// See the [module](self).
///
/// ```
/// use fibra_rpc::stream::inbound::{Inbound, Taken};
///
/// let mut inbound = Inbound::new(1024, 1024 * 1024);
/// inbound.receive(b"hel", true).unwrap();
/// inbound.receive(b"lo", false).unwrap();
/// let mut item = Vec::new();
/// assert_eq!(inbound.take(&mut item), Taken::Item);
/// assert_eq!(item, b"hello");
/// assert_eq!(inbound.take(&mut item), Taken::Nothing);
/// ```
#[derive(Debug)]
pub struct Inbound {
    window: usize,
    /// What the peer may still send.
    credit: usize,
    /// What was taken and not granted again.
    owed: usize,
    item_bytes_max: usize,
    /// The items that wait, one behind the other; those before `start` have been taken.
    bytes: Vec<u8>,
    start: usize,
    /// Of each whole item that waits: its length here, and what it cost.
    items: VecDeque<(u32, u32)>,
    /// Of the item behind them, which is not whole: its length here, and what it cost.
    partial: (u32, u32),
    /// How long the first item that is not whole is so far, with what was taken of it.
    assembled: usize,
    discarding: bool,
    end: Option<End>,
}

/// How a stream's items ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All have come.
    Finished,
    /// There should have been more.
    Abandoned,
}

/// What was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// An item, whole.
    Item,
    /// None yet; the beginning of one, perhaps.
    Nothing,
    /// There will be none any more.
    End(End),
}

impl Inbound {
    /// The peer has been given `window` bytes of credit. Items have up to `item_bytes_max`.
    pub fn new(window: usize, item_bytes_max: usize) -> Self {
        Self {
            window,
            credit: window,
            owed: 0,
            item_bytes_max,
            bytes: Vec::new(),
            start: 0,
            items: VecDeque::new(),
            partial: (0, 0),
            assembled: 0,
            discarding: false,
            end: None,
        }
    }

    /// A piece has come; `more` of its item follow. Whether there is something new to take.
    ///
    /// # Errors
    ///
    /// [`Violation`]: the peer must not send it.
    pub fn receive(&mut self, piece: &[u8], more: bool) -> Result<bool, Violation> {
        if self.end.is_some() {
            return Err(Violation::AfterEnd);
        }
        let cost = cost(piece.len());
        self.credit = self.credit.checked_sub(cost).ok_or(Violation::BeyondCredit)?;
        self.assembled += piece.len();
        if self.assembled > self.item_bytes_max {
            return Err(Violation::ItemTooLong);
        }
        if !self.discarding {
            // Half of it is empty: so what is moved was paid for by what was taken.
            if self.start > self.bytes.len() / 2 && self.bytes.len() + piece.len() > self.bytes.capacity() {
                self.bytes.drain(..self.start);
                self.start = 0;
            }
            self.bytes.extend_from_slice(piece);
            // Both are at most the window, and that has less than 32 bits.
            self.partial.0 += u32::try_from(piece.len()).unwrap_or(u32::MAX);
            self.partial.1 += u32::try_from(cost).unwrap_or(u32::MAX);
        }
        if !more {
            self.assembled = 0;
            let item = std::mem::take(&mut self.partial);
            if !self.discarding {
                self.items.push_back(item);
            }
        }
        Ok(!self.discarding)
    }

    /// The peer sends no more.
    ///
    /// # Errors
    ///
    /// [`Violation`]: it has said so before, or says that it has finished in the middle of an item.
    pub fn end(&mut self, end: End) -> Result<(), Violation> {
        if self.end.is_some() {
            return Err(Violation::AfterEnd);
        }
        if end == End::Finished && self.assembled > 0 {
            return Err(Violation::WithinItem);
        }
        self.end = Some(end);
        Ok(())
    }

    /// Takes the next item, behind what `item` has of it already.
    pub fn take(&mut self, item: &mut Vec<u8>) -> Taken {
        let (whole, (len, cost)) = match self.items.pop_front() {
            Some(next) => (true, next),
            None => (false, std::mem::take(&mut self.partial)),
        };
        let until = self.start + usize::try_from(len).unwrap_or(usize::MAX);
        item.extend_from_slice(self.bytes.get(self.start..until).unwrap_or_default());
        self.start = until;
        self.owed += usize::try_from(cost).unwrap_or(usize::MAX);
        if self.start >= self.bytes.len() {
            self.start = 0;
            self.bytes.clear();
            // A thousand streams that are idle again should not keep what they needed for a burst.
            self.bytes.shrink_to(KEPT_BYTES);
        }
        match self.end {
            _ if whole => Taken::Item,
            Some(end) => Taken::End(end),
            None => Taken::Nothing,
        }
    }

    /// What to give the peer now, if anything.
    pub fn grant(&mut self) -> Option<u32> {
        if self.owed < (self.window / 2).max(1) || self.end.is_some() || self.discarding {
            return None;
        }
        let grant = std::mem::take(&mut self.owed);
        self.credit += grant;
        u32::try_from(grant).ok()
    }

    /// Makes the window larger. What it is larger by is owed to the peer.
    pub fn widen(&mut self, window: usize) {
        self.owed += window.saturating_sub(self.window);
        self.window = self.window.max(window);
    }

    /// Nobody takes items any more: those that wait are dropped, and those to come.
    pub fn discard(&mut self) {
        self.discarding = true;
        self.bytes = Vec::new();
        self.start = 0;
        self.items = VecDeque::new();
        self.partial = (0, 0);
    }

    /// The bytes of credit that the peer has at most when it has all.
    pub fn window(&self) -> usize {
        self.window
    }

    /// How it has ended, if the peer has said so.
    pub fn ended(&self) -> Option<End> {
        self.end
    }
}
