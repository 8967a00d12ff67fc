//! One fiber for many sockets: those that have something to read get in line, and whoever serves them takes the next.
//!
//! ```text
//!   event ─▶ Direction ─ its Watch ─▶ Line: 7 ▸ 3 ▸ 12 ─▶ ReadySet::next ─▶ 7
//!                                       ▲                                   │ serve what socket 7 has, then
//!                                       └──── TcpStream::watch(.., 7) ◀─────┘ watch it again
//! ```
//!
//! A connection that waits so holds no fiber, and with that no stack: a few words in its socket are all. It is the event loop's way, for
//! those few who have to keep a hundred thousand of silent connections; everybody else reads, and parks.
//!
//! Invariants:
//! * A watch is announced once, then it is gone. So a key is in line at most once for each time that its socket was watched, or that
//!   somebody [pushed](ReadySet::push) it.
//! * While the line is not empty and somebody waits for it, the one who has waited longest has been woken.
//! * Nobody parks under the lock.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::in_fiber;
use fibra_scheduler::park::{self, Reason, Unparker};
use parking_lot::Mutex;

use crate::budget;
use crate::queue::{Queue, Ticket};

/// Sockets that are served by one fiber, or by several in turn, in the order in which they become readable.
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// # fibra_scheduler::runtime::Builder::new(fibra_net::reactor::Factory::default()).run(|| -> std::io::Result<()> {
/// use fibra_net::{ReadySet, TcpStream};
/// use std::io::Write;
///
/// let streams = [TcpStream::connect("10.0.0.1:7")?, TcpStream::connect("10.0.0.2:7")?];
/// let set = ReadySet::new();
/// for (key, stream) in (0..).zip(&streams) {
///     stream.watch(&set, key)?;
/// }
/// let mut buf = [0; 4096];
/// loop {
///     let key = set.next()?;
///     let mut stream = &streams[key as usize];
///     match stream.try_read(&mut buf) {
///         Ok(0) => break Ok(()),
///         Ok(n) => stream.write_all(&buf[..n])?,
///         Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
///         Err(error) => break Err(error),
///     }
///     stream.watch(&set, key)?;
/// }
/// # })?
/// # }
/// ```
///
/// A clone is the same set.
#[derive(Clone, Default)]
pub struct ReadySet {
    line: Arc<Line>,
}

#[derive(Default)]
struct Line {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    ready: VecDeque<u64>,
    waiting: Queue<Unparker>,
}

/// Which set is to be told of a socket, and by what name.
pub(crate) struct Watch {
    line: Arc<Line>,
    key: u64,
}

impl ReadySet {
    /// A set in which nothing is in line.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next in line; waits until there is one. What has been taken is not watched any more.
    ///
    /// Who never finds the line empty lets the others of its worker run now and then.
    ///
    /// # Errors
    ///
    /// [`Interrupted`] if there is none, and the fiber was cancelled or its deadline has passed.
    pub fn next(&self) -> Result<u64, Interrupted> {
        self.next_before(None)
    }

    /// As [`next`](Self::next), but waits until `deadline` only.
    ///
    /// # Errors
    ///
    /// Those of [`next`](Self::next); [`Interrupted::TimedOut`] if there is none by then.
    pub fn next_before(&self, deadline: Option<Instant>) -> Result<u64, Interrupted> {
        if in_fiber() && budget::is_used_up() {
            budget::rest()?;
        }
        let mut ticket = None;
        let mut waited = Ok(());
        loop {
            let mut state = self.line.state.lock();
            let taken = match (state.ready.pop_front(), waited) {
                (Some(key), _) => Some(Ok(key)),
                (None, Err(interrupted)) => Some(Err(interrupted)),
                (None, Ok(())) => None,
            };
            if let Some(taken) = taken {
                let next = ticket.and_then(|ticket| state.leave(ticket));
                drop(state);
                if let Some(next) = next {
                    next.unpark();
                }
                return taken;
            }
            ticket.get_or_insert_with(|| state.waiting.push(park::current()));
            drop(state);
            if in_fiber() {
                // Who waits does not hold the worker up.
                budget::renew();
            }
            waited = park::wait(Reason::AnyReadable, deadline);
        }
    }

    /// Lets the others of the worker run now: for whoever knows that serving what was in line has taken long, which [`next`](Self::next) cannot
    /// know, since it reads no clock. Nothing on a plain thread.
    ///
    /// # Errors
    ///
    /// [`Interrupted`] if the fiber was cancelled or its deadline has passed, and it knew that when it last was here or in `next`.
    pub fn rest(&self) -> Result<(), Interrupted> {
        if in_fiber() { budget::rest() } else { Ok(()) }
    }

    /// Puts `key` at the end of the line, as if its socket had become readable.
    pub fn push(&self, key: u64) {
        self.line.push(key);
    }

    /// How many are in line.
    pub fn len(&self) -> usize {
        self.line.state.lock().ready.len()
    }

    /// Whether nobody is in line.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn watch(&self, key: u64) -> Watch {
        Watch { line: Arc::clone(&self.line), key }
    }
}

impl fmt::Debug for ReadySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadySet").field("ready", &self.line.state.lock().ready).finish_non_exhaustive()
    }
}

impl State {
    /// Gives up a place among the waiting; returns who is to be woken now.
    fn leave(&mut self, ticket: Ticket) -> Option<Unparker> {
        self.waiting.remove(ticket);
        if self.ready.is_empty() { None } else { self.waiting.first().cloned() }
    }
}

impl Line {
    fn push(&self, key: u64) {
        let mut state = self.state.lock();
        state.ready.push_back(key);
        // With others in line already, the first of the waiting has been told.
        let first = if state.ready.len() == 1 { state.waiting.first().cloned() } else { None };
        drop(state);
        if let Some(first) = first {
            first.unpark();
        }
    }
}

impl Watch {
    /// The socket may be read.
    pub(crate) fn announce(self) {
        self.line.push(self.key);
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watch").field(&self.key).finish()
    }
}
