//! Which calls a worker refuses when more come than it can serve, as state machines without I/O.
//!
//! ```text
//!   line of connections ─▶ a connection's turn: read ─▶ call ─▶ call ─▶ late? ── no ──▶ run
//!   └──── [Line]: how long ────┘ └─ since it was read ─┘          └─ yes ─▶ [Admission]: run, or refuse
//! ```
//!
//! What is measured is how long a call has waited for its turn. A long wait by itself is a burst; waits that stay long, since the line has not been
//! empty for a while, are a standing queue: it makes every call late and none more of them served. Then calls that have waited longer than a target are
//! refused, which costs little, so that those who come later are served in time, until for a while there are none such.
//!
//! Source: CoDel (Nichols and Jacobson, ACM Queue 10(5), 2012) for the standing queue, in the form of "Fail at Scale" (Maurer, ACM Queue 13(8), 2015)
//! for servers. New is the second invariant: there, a server whose every waiting call is late refuses them all, and serves nobody.
//!
//! Invariants:
//! * What is not late is never refused, and nothing is before a queue stands.
//! * Refusing what could still be served takes a bounded share of the time, so however many calls come, the rest of it goes into serving them.
//! * What cannot be answered in time is not run while others wait.

use std::time::{Duration, Instant};

use crate::limits::{QUEUE_DELAY_CALLS, QUEUE_DELAY_SHARE, QUEUE_STANDS_AFTER, REFUSING_SHARE};

/// Since when connections may have stood in a worker's line, told by a mark that stands there among them.
///
/// What is behind the mark came after it was put in, and before it was put in again. For a connection that always has something to say, its own
/// last turn says it exactly.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// When the mark was put in, and when before; the same, at first.
    mark: Mark,
    /// Whether somebody was served since the mark was put in, or has more to be served.
    is_busy: bool,
    /// When the line was last known to be empty; `None`: it is now.
    empty_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Mark {
    #[default]
    None,
    /// It was put in when the first connection's turn began.
    In,
    Since {
        last: Instant,
        before: Instant,
    },
}

/// What a connection whose turn begins has to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stood {
    /// It got in line after this; `None`: only now.
    pub(super) after: Option<Instant>,
    /// When the line was last known to be empty; `None`: it is now.
    pub(super) empty_at: Option<Instant>,
}

impl Line {
    /// A connection's turn begins. Whether the mark is to be put at the end of the line, before anything else is.
    pub(super) fn begins(&mut self) -> (Stood, bool) {
        let after = match self.mark {
            Mark::None => {
                self.mark = Mark::In;
                return (Stood::default(), true);
            }
            Mark::In => None,
            Mark::Since { before, .. } => Some(before),
        };
        self.is_busy = true;
        (Stood { after, empty_at: self.empty_at }, false)
    }

    /// A turn has ended, in which was last read then; whether there may be `more` to read.
    pub(super) fn ended(&mut self, read_at: Instant, more: bool) {
        self.is_busy |= more;
        if matches!(self.mark, Mark::In) {
            self.mark = Mark::Since { last: read_at, before: read_at };
        }
        self.empty_at.get_or_insert(read_at);
    }

    /// The mark's turn has come. Whether it is to be put at the end again.
    pub(super) fn passes(&mut self, now: impl FnOnce() -> Instant) -> bool {
        if std::mem::take(&mut self.is_busy)
            && let Mark::Since { last, .. } = self.mark
        {
            self.mark = Mark::Since { last: now(), before: last };
            return true;
        }
        *self = Self::default();
        false
    }
}

/// A call that has waited longer than the target, or is at its limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Late {
    pub(super) now: Instant,
    /// For its turn.
    pub(super) waited: Duration,
    /// When the line was last known to be empty.
    pub(super) empty_at: Instant,
    /// How long its caller was ready to wait when it was read, ...
    pub(super) timeout: Duration,
    /// ... and is now; `None`: without end.
    pub(super) left: Option<Duration>,
}

/// Decides about the late calls of a worker.
#[derive(Debug)]
pub(super) struct Admission {
    target: Duration,
    /// The last late call: when it came, and whether it was refused.
    last: Option<(Instant, bool)>,
    /// When a call was last refused: refusing may empty the line, and the next queue is the same one, only shorter.
    refused_at: Option<Instant>,
    /// How long a call takes, about.
    cost: Duration,
    /// How the time with late calls was spent; the past counts less and less.
    serving: Duration,
    refusing: Duration,
}

impl Admission {
    pub(super) fn new(target: Duration) -> Self {
        let zero = Duration::ZERO;
        Self { target, last: None, refused_at: None, cost: zero, serving: zero, refusing: zero }
    }

    /// Whether a call that is late is to be run nevertheless.
    pub(super) fn admits(&mut self, late: Late) -> bool {
        self.account(late);
        let in_time = late.left.is_none_or(|left| left > self.cost);
        // Calls that take long wait long, with only a few of them in line.
        let may_wait = self.target.max(self.cost * QUEUE_DELAY_CALLS).max(late.timeout / QUEUE_DELAY_SHARE);
        let is_late = late.waited > may_wait;
        // So long without a break; and longer where calls may wait for long themselves.
        let stands = late.now.saturating_duration_since(late.empty_at) >= QUEUE_STANDS_AFTER.max(may_wait * 2)
            || self.refused_at.is_some_and(|at| late.now.saturating_duration_since(at) < QUEUE_STANDS_AFTER);
        let may_refuse = self.refusing * REFUSING_SHARE <= self.refusing + self.serving;
        let admits = !stands || (in_time && !(is_late && may_refuse));
        self.last = Some((late.now, !admits));
        if !admits {
            self.refused_at = Some(late.now);
        }
        admits
    }

    /// Learns from the time since the last late call.
    fn account(&mut self, late: Late) {
        let Some((at, refused)) = self.last.replace((late.now, false)) else { return };
        // Of an earlier queue: nothing is known of the time between.
        if at < late.empty_at {
            (self.serving, self.refusing) = Default::default();
            return;
        }
        let spent = late.now.saturating_duration_since(at);
        if refused {
            self.refusing += spent;
        } else {
            self.serving += spent;
            self.cost = if self.cost.is_zero() { spent } else { (self.cost * 7 + spent) / 8 };
        }
        if self.serving + self.refusing > QUEUE_STANDS_AFTER {
            self.serving /= 2;
            self.refusing /= 2;
        }
    }
}

#[cfg(test)]
mod tests;
