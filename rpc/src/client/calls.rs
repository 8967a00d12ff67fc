//! The calls of a channel, from their frame to their answer, over as many connections as it takes.
//!
//! ```text
//!   begin ─▶ an xid, an entry with the frame ─┬ connected: queued ─▶ ··· ─▶ complete ─▶ wait returns
//!                                             └ not: stays here    ▲
//!                                                    │ connected ──┘ all that are outstanding, in order of xid
//! ```
//!
//! | file | holds |
//! |---|---|
//! | this one | the calls, and what is known of their link |
//! | `begin`, `wait` | what callers do: [`begin`](Calls::begin), [`post`](Calls::post), [`wait`](Calls::wait) |
//! | `serve` | what the link does: connected, disconnected, a reply |
//! | `handle` | what holders of a handle do: look, wait for a while, give up |
//! | `lane` | calls of ordered lanes: sent in order |
//! | `stream` | calls that stream: begun on one connection, and never sent again |
//! | `table` | the state that all change, under one lock |
//! | `entry`, `send` | one call there, and how it is queued on the present connection |
//! | `freed` | who may go on because one has ended |
//!
//! Calls of the session have the xids that [`Window`](crate::session::Window) gives out. Idempotent and one-way calls are none of it, and
//! have xids from [`OUTSIDE`](table::OUTSIDE) up: so they neither fill the window nor wait for a slow call to leave it.
//!
//! Invariants:
//! * An entry lives from `begin` until its caller takes it out; only the caller does. So a reply without an entry is late, and one to
//!   an xid not given out yet is a broken server.
//! * A call has its place in the window, and among those in flight, until it is answered: a caller who takes answers late holds up nobody.
//! * An entry that is taken out is not sent any more. So a call that was queued on no connection, or on lost ones that it never left
//!   through, has not run and will not.
//! * The table's lock is taken before an outbox's, never the other way round.

mod begin;
mod entry;
mod freed;
pub(super) mod handle;
mod lane;
mod send;
mod serve;
pub(super) mod stream;
mod table;
mod wait;
mod xid_hasher;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use fibra_scheduler::cancel::Interrupted;
use parking_lot::Mutex;

use super::Stats;
use super::connection::Connection;
use crate::error::{ConnectError, Disconnect, Executed};
use crate::outbox::Outbox;
use crate::session::Xid;
pub(super) use table::OUTSIDE;
use table::{Link, State};
pub(super) use xid_hasher::XidHasher;

pub(super) struct Calls {
    state: Mutex<State>,
    in_flight_max: usize,
    /// A [`Status`], changed with the state, and read without its lock.
    status: AtomicU8,
    /// Somebody would call if there were a connection.
    sought: AtomicBool,
}

/// What a link is for new calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Status {
    /// Without a connection.
    Down,
    Up,
    /// Another has taken its place.
    Retired,
    /// It will never have a connection again.
    Over,
}

/// What the server answered.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// The value's body, in a buffer of the [`scratch`] pool.
    Value(Vec<u8>),
    Failure {
        code: u8,
        message: String,
        details: Vec<u8>,
        /// The call, to be made again.
        frame: Vec<u8>,
        /// Another copy of the call may have reached a server before, and may have run or may yet.
        repeated: bool,
    },
}

/// A call that ended without an answer.
pub(super) struct Unanswered {
    pub(super) why: Why,
    pub(super) executed: Executed,
    /// The connection that has the call, if it is to be told that nobody waits any more.
    pub(super) cancel_at: Option<Arc<Connection>>,
    /// The call, if it has [moved](Why::Moved).
    pub(super) frame: Vec<u8>,
}

/// Why a call ended without an answer.
#[derive(Debug)]
pub(super) enum Why {
    Interrupted(Interrupted),
    Lost(Disconnect),
    /// It is to be sent elsewhere: this link has no connection or is to get no new calls. It has not left, or may run again.
    Moved {
        /// It had an xid here.
        entered: bool,
    },
    /// It was to be made again, and another of its lane has been made meanwhile.
    Overtaken,
}

/// A call that has begun.
pub(super) struct Begun {
    pub(super) xid: Xid,
    /// Where it has been queued, if anywhere.
    pub(super) queued_at: Option<Arc<Connection>>,
    /// No other call waits.
    pub(super) alone: bool,
}

impl Calls {
    /// Calls that have not left, and idempotent ones, are `mobile` if there is another link for them when this one has no connection.
    pub(super) fn new(in_flight_max: usize, mobile: bool) -> Self {
        Self {
            state: Mutex::new(State::new(in_flight_max, mobile)),
            in_flight_max,
            status: AtomicU8::new(Status::Down as u8),
            sought: AtomicBool::new(false),
        }
    }

    #[inline]
    pub(super) fn status(&self) -> Status {
        match self.status.load(Ordering::Acquire) {
            0 => Status::Down,
            1 => Status::Up,
            2 => Status::Retired,
            _ => Status::Over,
        }
    }

    pub(super) fn is_mobile(&self) -> bool {
        self.state.lock().mobile
    }

    /// Why there is no connection, if so.
    pub(super) fn down(&self) -> Option<Disconnect> {
        match &self.state.lock().link {
            Link::Up(_) => None,
            Link::Down(cause) | Link::Over(cause) => Some(cause.clone()),
        }
    }

    /// Whether the last attempt to connect has failed.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.state.lock().link, Link::Down(Disconnect::Unreachable(_)) | Link::Over(_))
    }

    /// Whether there has been a connection, though it may be lost again.
    pub(super) fn has_connected(&self) -> bool {
        self.state.lock().connections > 0
    }

    /// Why, if it has; to be asked once.
    pub(super) fn failure(&self) -> Option<ConnectError> {
        let mut state = self.state.lock();
        let Link::Down(cause @ Disconnect::Unreachable(_)) = &mut state.link else { return None };
        match std::mem::replace(cause, Disconnect::ClosedByPeer) {
            Disconnect::Unreachable(error) => Arc::into_inner(error),
            _ => None,
        }
    }

    /// Somebody would call if there were a connection.
    pub(super) fn seek(&self) {
        if !self.sought.swap(true, Ordering::AcqRel) {
            let link = self.state.lock().wanted();
            freed::wake(link);
        }
    }

    /// How many calls were made, and whether any waits now.
    pub(super) fn seen(&self) -> (u64, bool) {
        let state = self.state.lock();
        (state.made(), state.unanswered > 0)
    }

    /// Lets no more calls go out by this output, if none waits and none was made since there were `made`. What begins later waits for the next
    /// connection; what has begun would be lost with this one, and a call that streams ends with that.
    pub(super) fn finish_unused(&self, outbox: &Outbox, made: u64) -> bool {
        let state = self.state.lock();
        let is_unused = state.unanswered == 0 && state.made() == made;
        if is_unused {
            outbox.finish();
        }
        is_unused
    }

    pub(super) fn stats(&self) -> Stats {
        let state = self.state.lock();
        Stats {
            calls: state.made(),
            attempts: state.made(),
            in_flight: state.unanswered,
            late_replies: state.late_replies,
            connections: state.connections,
            ..Stats::default()
        }
    }
}

impl Unanswered {
    pub(super) fn unsent(why: Why) -> Self {
        Self { why, executed: Executed::No, cancel_at: None, frame: Vec::new() }
    }
}
