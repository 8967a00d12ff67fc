//! The client's half of a session: which xids are outstanding.
//!
//! ```text
//!     acknowledged      first_incomplete                     next
//!   ··· ✓  ✓  ✓  ✓ │      ·      ✓      ·      ✓       ·   │ ···
//!                  └────────────── at most `size` ─────────┘
//! ```
//!
//! Invariants:
//! * `first_incomplete <= next <= first_incomplete + size`, unless it was made narrower since: then nothing is opened, and what it does not
//!   [`reach`](Window::reaches) is not to be sent. So a client never sends what its server would have to call out of window.
//! * An xid is given out once, and `first_incomplete` never falls, so what was acknowledged stays so.

use std::collections::VecDeque;

use super::Xid;

/// See the [module](self).
///
/// ```
/// use fibra_rpc::session::Window;
///
/// let mut window = Window::new(2);
/// let (first, second) = (window.open().unwrap(), window.open().unwrap());
/// assert_eq!((first, second, window.open()), (1, 2, None));
///
/// window.complete(second); // A hole: nothing can be acknowledged yet.
/// assert_eq!((window.first_incomplete(), window.open()), (1, None));
/// window.complete(first);
/// assert_eq!((window.first_incomplete(), window.open()), (3, Some(3)));
/// ```
#[derive(Clone, Debug)]
pub struct Window {
    size: usize,
    first_incomplete: Xid,
    /// Of the xids from the first incomplete one up to the last that was given out: whether each is complete. Never begins with `true`.
    complete: VecDeque<bool>,
}

impl Window {
    /// A window of up to `size` calls, at least 1.
    pub fn new(size: usize) -> Self {
        Self { size: size.max(1), first_incomplete: 1, complete: VecDeque::new() }
    }

    /// Another size, at least 1. If that is less, what is outstanding stays so, but may lie [beyond](Self::reaches).
    pub fn resize(&mut self, size: usize) {
        self.size = size.max(1);
    }

    /// Whether a call of this xid may be sent: the server takes none from `first_incomplete + size`.
    pub fn reaches(&self, xid: Xid) -> bool {
        xid < self.end()
    }

    /// The first xid beyond the window.
    pub fn end(&self) -> Xid {
        self.first_incomplete + self.size as u64
    }

    /// The next xid, outstanding from now on; `None` while the window is full.
    pub fn open(&mut self) -> Option<Xid> {
        if self.complete.len() >= self.size {
            return None;
        }
        let xid = self.next();
        self.complete.push_back(false);
        Some(xid)
    }

    /// The call of this xid has ended: nobody will ask for its reply again. Returns whether it was outstanding.
    pub fn complete(&mut self, xid: Xid) -> bool {
        let Some(call) = self.place(xid).and_then(|place| self.complete.get_mut(place)) else { return false };
        if std::mem::replace(call, true) {
            return false;
        }
        while self.complete.front() == Some(&true) {
            self.complete.pop_front();
            self.first_incomplete += 1;
        }
        true
    }

    /// Whether the xid was given out and has not been completed.
    pub fn is_outstanding(&self, xid: Xid) -> bool {
        self.place(xid).and_then(|place| self.complete.get(place)) == Some(&false)
    }

    /// The oldest outstanding xid, or the next one if there is none: whatever comes before is acknowledged. Goes with every call.
    pub fn first_incomplete(&self) -> Xid {
        self.first_incomplete
    }

    /// How many calls are outstanding.
    pub fn outstanding(&self) -> usize {
        self.complete.iter().filter(|complete| !**complete).count()
    }

    /// The xid that comes after all that were given out.
    fn next(&self) -> Xid {
        self.first_incomplete + self.complete.len() as u64
    }

    fn place(&self, xid: Xid) -> Option<usize> {
        usize::try_from(xid.checked_sub(self.first_incomplete)?).ok()
    }
}
