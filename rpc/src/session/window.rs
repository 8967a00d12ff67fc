//! The client's half of a session: which xids are outstanding.
//!
//! ```text
//!     acknowledged, but for those set aside     base                     next
//!   ··· ✓  ✓  ·  ✓  ✓  ✓  ✓  ·  ✓  ✓  ✓  ✓ │      ·      ✓      ·    ✓     │ ···
//!             ▲                             └────────── at most `size` ────┘
//!      first_incomplete
//! ```
//!
//! A call that takes long is *set aside* once those after it have come half way round: the server is told that all before the new base are
//! acknowledged but this one, and others. So it stalls nobody, however many come after it.
//!
//! All of this is the client's; the server has a [cache](super::ReplyCache), and knows of a base only once it was told: by a call, of the first
//! incomplete xid; by an acknowledge, of the base and of those set aside. What it was told last on a connection, the client keeps beside this.
//!
//! Invariants:
//! * At most `size` xids are outstanding, and from `base` to `next` there are at most `size`, unless it was made narrower since: then nothing is opened,
//!   and what it does not [`reach`](Window::reaches) is not to be sent. So a client never sends what its server would have to call out of window.
//! * An xid is given out once, and what was acknowledged stays so: neither `first_incomplete` nor `base` ever falls, and what was not set aside
//!   below `base` never is.

use std::collections::{BTreeSet, VecDeque};

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
/// window.complete(second); // A hole: the next call sets the first aside.
/// assert_eq!((window.first_incomplete(), window.open()), (1, Some(3)));
/// assert_eq!((window.base(), window.aside().collect::<Vec<_>>()), (3, [1].to_vec()));
/// window.complete(first);
/// assert_eq!((window.first_incomplete(), window.open()), (3, Some(4)));
/// ```
#[derive(Clone, Debug)]
pub struct Window {
    size: usize,
    base: Xid,
    /// Of the xids from `base` up to the last that was given out: whether each is complete. Never begins with `true`.
    complete: VecDeque<bool>,
    /// Those before `base` that are outstanding.
    aside: BTreeSet<Xid>,
    outstanding: usize,
}

impl Window {
    /// A window of up to `size` calls, at least 1.
    pub fn new(size: usize) -> Self {
        Self { size: size.max(1), base: 1, complete: VecDeque::new(), aside: BTreeSet::new(), outstanding: 0 }
    }

    /// Another size, at least 1. If that is less, what is outstanding stays so, but may lie [beyond](Self::reaches).
    pub fn resize(&mut self, size: usize) {
        self.size = size.max(1);
    }

    /// Whether a call of this xid may be sent, by what the server knows at best: the [base](Self::base), of which it may have to be told before, if it
    /// [can be](Self::can_be_told); else the first incomplete xid, which the call itself says.
    pub fn reaches(&self, xid: Xid) -> bool {
        xid < self.end()
    }

    /// The first xid beyond the window of a server that knows this much at best: it takes none from there on.
    pub fn end(&self) -> Xid {
        let from = if self.can_be_told() { self.base } else { self.first_incomplete() };
        self.end_from(from)
    }

    /// The same, for a server that knows of no later base than this, as it was told last: up to there nothing need be told before a call.
    pub fn end_from(&self, base: Xid) -> Xid {
        base + self.size as u64
    }

    /// Whether the server may be told of the base: those that are set aside are as few as it keeps. Always, unless the window was made narrower since.
    pub fn can_be_told(&self) -> bool {
        self.aside.len() < self.size
    }

    /// Whether an xid can be had.
    pub fn is_open(&self) -> bool {
        self.outstanding < self.size
    }

    /// The next xid, outstanding from now on; `None` while the window is full.
    pub fn open(&mut self) -> Option<Xid> {
        if !self.is_open() {
            return None;
        }
        if self.complete.len() >= self.size {
            self.set_aside();
        }
        let xid = self.next();
        self.complete.push_back(false);
        self.outstanding += 1;
        Some(xid)
    }

    /// Sets aside what is in the way of half a window of further calls: so the server need not be told for each. No more than the server can be
    /// told of.
    #[cold]
    pub fn set_aside(&mut self) {
        while self.complete.len() > self.size / 2
            && self.aside.len() + 1 < self.size
            && let Some(is_complete) = self.complete.pop_front()
        {
            if !is_complete {
                self.aside.insert(self.base);
            }
            self.base += 1;
        }
        self.pass_complete();
    }

    fn pass_complete(&mut self) {
        while self.complete.front() == Some(&true) {
            self.complete.pop_front();
            self.base += 1;
        }
    }

    /// The call of this xid has ended: nobody will ask for its reply again. Returns whether it was outstanding.
    pub fn complete(&mut self, xid: Xid) -> bool {
        let was_outstanding = match self.place(xid) {
            Some(place) => {
                let was_outstanding = self.complete.get_mut(place).is_some_and(|call| !std::mem::replace(call, true));
                self.pass_complete();
                was_outstanding
            }
            None => self.aside.remove(&xid),
        };
        self.outstanding -= usize::from(was_outstanding);
        was_outstanding
    }

    /// Whether the xid was given out and has not been completed.
    pub fn is_outstanding(&self, xid: Xid) -> bool {
        match self.place(xid) {
            Some(place) => self.complete.get(place) == Some(&false),
            None => self.aside.contains(&xid),
        }
    }

    /// The oldest outstanding xid, or the next one if there is none: whatever comes before is acknowledged. Goes with every call.
    pub fn first_incomplete(&self) -> Xid {
        self.aside.first().copied().unwrap_or(self.base)
    }

    /// Whatever comes before is acknowledged, but for those [aside](Self::aside).
    pub fn base(&self) -> Xid {
        self.base
    }

    /// The outstanding xids before the [base](Self::base), in order.
    pub fn aside(&self) -> impl Iterator<Item = Xid> {
        self.aside.iter().copied()
    }

    /// Whether there are such.
    pub fn has_aside(&self) -> bool {
        !self.aside.is_empty()
    }

    /// How many calls are outstanding.
    pub fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// The xid that comes after all that were given out.
    fn next(&self) -> Xid {
        self.base + self.complete.len() as u64
    }

    fn place(&self, xid: Xid) -> Option<usize> {
        usize::try_from(xid.checked_sub(self.base)?).ok()
    }
}
