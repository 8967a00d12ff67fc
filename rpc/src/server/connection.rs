//! A connection: what it has sent is read, run and answered in turns, until a handler parks.
//!
//! ```text
//!   leader     read ─ call a ─ call b ─ b parks ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ b resumes ─ its reply ─ ends
//!                                        ╲ the role, and the lead
//!   next                                   call c ─ no frame left: write a, c ─ other connections ...
//! ```
//!
//! *Run to park*: a handler runs on the stack of whoever reads. One that does not park costs no switch and no spawn; the first park
//! of one that does hands the role (input buffer included) to another fiber, so that it stalls no other call.
//!
//! Invariants:
//! * One fiber has the reader's role, or nobody; all are on one worker, so `Rc` and `Cell` suffice.
//! * Replies are written when the input has no whole frame left, when [`FLUSH_BYTES`] are queued, and by who lost the role.
//! * Who has the role does not park, unless there is no other fiber to be had: with the output full it pauses, and who lost the role
//!   parks with its reply.
//! * The end of the input ends the streams, and cancels who serves them: nobody else could be told what they do.
//! * A malformed frame ends this connection, with a warning that names the peer and the reason, and no other. The peer is told, too: it
//!   is not reset before it has received that, unless it goes on sending, or takes nothing.
//!
//! A call of the session that has been answered gets the same bytes; one that is being run waits for that run, as a handler that parks
//! does. Only then do limits apply: to answer once more takes no room.
//!
//! A call of an ordered lane whose turn has not come is put aside, and the reading goes on; it is run in a later turn of the connection.
//!
//! On a plain thread nothing parks in the scheduler's sense, so the role stays and calls run one after the other.

mod call;
mod desk;
mod extras;
mod lane;
mod output;
mod peer;
mod stream;
mod turn;

use std::cell::{Cell, OnceCell};
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Instant;

use fibra_net::{Shutdown, TcpStream};
use fibra_scheduler::{JoinHandle, cancel, clock, in_fiber};

use desk::Desk;
use extras::Extras;
use peer::PeerAddr;
pub(super) use turn::Turn;
use turn::{Role, Step};

use super::accept::Context;
use super::dispatch::{Dispatch, Key};
use super::drain;
use super::farewell;
use super::foreign;
use super::lazy_outbox::LazyOutbox;
use super::opening::{self, Begun};
use super::reader::Reader;
use super::roster::{Seat, Task};
use super::store::{ChosenSession, Session};
use crate::glitches::Glitches;
use crate::metrics::{Metrics, Shard};
use crate::moment::Moment;
use crate::scratch;
use crate::wire::encode;
use crate::wire::frame::{GOAWAY_FULL, GOAWAY_MALFORMED};
use crate::wire::header::Malformed;

/// Opens a connection, and has it served: on a plain thread until it ends, else by the worker's [`Dispatch`].
pub(super) fn serve(seat: Seat, peer: SocketAddr) {
    let context = seat.context();
    let session = match opening::open(seat.stream(), &context.sessions) {
        Ok(Begun::Native(session)) => session,
        Ok(Begun::Foreign(first)) => return foreign::serve(seat, peer, first),
        Err(unopened) => return unopened.log(peer),
    };
    let shard = context.metrics.as_ref().map(Metrics::shard);
    let glitches = Glitches::new(context.limits.window, clock::now());
    let (addr, extras) = PeerAddr::of(peer);
    let connection = Rc::new(Connection {
        outbox: LazyOutbox::default(),
        extras,
        session,
        glitches,
        peer: addr,
        place: OnceCell::new(),
        shard,
        in_flight: Cell::new(0),
        input: Cell::new(None),
        postponed: Cell::new(false),
        has_fibers: Cell::new(false),
        paused: Cell::new(false),
        has_more: Cell::new(false),
        told: Cell::new(false),
        timed: Cell::new(false),
        read_at: Cell::new(None),
        seat,
    });
    if !in_fiber() {
        return connection.serve_by_thread();
    }
    let adopted = Dispatch::here(connection.context()).and_then(|dispatch| dispatch.adopt(&connection));
    // Nobody else has run between: what is forgotten is this fiber only.
    connection.seat.opened();
    if let Err(error) = adopted {
        tracing::warn!(%peer, %error, "closed a new connection: nothing could be started to serve it");
        connection.close();
    }
}

pub(super) struct Connection {
    outbox: LazyOutbox,
    /// Made when the first of them is needed.
    extras: OnceCell<Box<Extras>>,
    session: ChosenSession,
    glitches: Glitches,
    peer: PeerAddr,
    /// This thread's counts, if the server counts.
    shard: Option<Arc<Shard>>,
    /// Who serves it, and under what name; nobody else if it has a thread of its own.
    place: OnceCell<(Weak<Dispatch>, Key)>,
    /// Calls begun and not ended.
    in_flight: Cell<u32>,
    /// What was read and not yet acted on, while nobody has the role.
    input: Cell<Option<Box<Reader>>>,
    /// The next frame is a call for which there was no room.
    postponed: Cell<bool>,
    /// Its entry may still hold fibers that have run a call.
    has_fibers: Cell<bool>,
    /// It is out of the line until there is room.
    paused: Cell<bool>,
    /// What it keeps of its input may be more than a frame in part.
    has_more: Cell<bool>,
    /// The client knows that the server drains.
    told: Cell<bool>,
    /// Its worker is to look whether a frame of it takes too long.
    timed: Cell<bool>,
    /// When it was last read from.
    read_at: Cell<Option<Moment>>,
    /// Last, so that the connection leaves the roster when all else is gone.
    seat: Seat,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.forget_held();
        self.session.leave(&self.context().sessions);
    }
}

/// How the reading ended.
enum End {
    /// The peer closed its side, at a frame's end or within one.
    Eof,
    Io(io::Error),
    Malformed(Malformed),
    /// Its peer is told this code and why.
    Over(u8, String),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Malformed> for End {
    fn from(reason: Malformed) -> Self {
        Self::Malformed(reason)
    }
}

impl Connection {
    /// From now on `dispatch` serves it, under the name `key`.
    pub(super) fn settle(&self, dispatch: Weak<Dispatch>, key: Key) {
        // Nobody does so twice.
        let _ = self.place.set((dispatch, key));
    }

    /// Under which name it is served, if its worker does.
    #[inline]
    pub(super) fn key(&self) -> Option<Key> {
        self.place.get().map(|(_, key)| *key)
    }

    /// Whether its worker is to look how long a frame of it takes; returns what was said before.
    pub(super) fn set_timed(&self, timed: bool) -> bool {
        self.timed.replace(timed)
    }

    /// What has been read and not yet acted on.
    pub(super) fn take_input(&self) -> Option<Box<Reader>> {
        let mut input = self.input.take();
        if let Some(reader) = &mut input {
            reader.is_taken();
        }
        input
    }

    /// When it was last read from.
    pub(super) fn read_at(&self) -> Option<Instant> {
        self.read_at.get().map(Instant::from)
    }

    pub(super) fn was_read(&self, at: Instant) {
        self.read_at.set(Some(at.into()));
    }

    /// Keeps what has been read and not yet acted on; or of which a frame has come in part, unless it `has_more`. Whether it may: for the limit on
    /// all connections it may be too much.
    pub(super) fn keep_input(&self, mut reader: Box<Reader>, has_more: bool) -> bool {
        self.has_more.set(has_more);
        let bytes = reader.is_kept();
        self.input.set(Some(reader));
        let Context { load, roster, .. } = &**self.context();
        !load.buffered.is_over() || bytes <= load.buffered.fair(roster.len())
    }

    /// `fiber` runs call `xid`, without the role.
    pub(super) fn run_by(&self, xid: u64, fiber: JoinHandle<()>) {
        self.has_fibers.set(true);
        self.seat.add(xid, Task::Fiber(fiber));
    }

    /// The server drains: the client is to make no new calls here.
    pub(super) fn tell_of_drain(self: &Rc<Self>) {
        if self.told.replace(true) {
            return;
        }
        drain::append_goaway(&self.shared_outbox());
        if let Err(error) = self.write_now() {
            self.end(End::Io(error));
        }
    }

    /// Whether calls of it are under way, or answers, or are to be found in what it has sent.
    pub(super) fn is_busy(&self) -> bool {
        let has_more = self.has_more.get() && self.keeps_input();
        self.in_flight.get() > 0 || has_more || self.holds_any() || self.postponed.get() || !self.outbox.is_empty()
    }

    /// Nothing more is read or written. Wakes whoever waits for either.
    pub(super) fn close(&self) {
        self.outbox.close(|| self.new_outbox());
        self.streams_lost();
        // Whose input has ended waits for nothing but these.
        let has_waited = self.holds_any();
        self.forget_held();
        if has_waited {
            self.line_up();
        }
        // Fails only if the peer was faster.
        let _ = self.stream().shutdown(Shutdown::Both);
    }

    /// Its socket cannot be watched any more.
    pub(super) fn lost(&self, error: &io::Error) {
        tracing::warn!(peer = %self.peer(), %error, "closed a connection");
        self.close();
    }

    fn end(self: &Rc<Self>, end: End) {
        match end {
            End::Eof => {
                tracing::debug!(peer = %self.peer(), "the peer closed the connection");
                self.streams_lost();
                self.forget_held();
            }
            End::Io(error) => {
                // Reading waits for ever, so it is writing that took too long.
                if error.kind() == io::ErrorKind::TimedOut {
                    tracing::warn!(peer = %self.peer(), reason = "the peer does not read its replies", "closed a connection");
                } else {
                    tracing::debug!(peer = %self.peer(), %error, "a connection was lost");
                }
                self.close();
            }
            End::Malformed(reason) => self.say_last(GOAWAY_MALFORMED, &reason.to_string()),
            End::Over(code, reason) => self.say_last(code, &reason),
        }
    }

    /// Closes it, and tells the log and the peer why.
    fn say_last(self: &Rc<Self>, code: u8, reason: &str) {
        tracing::warn!(peer = %self.peer(), reason, "closed a connection");
        let mut last_words = scratch::take();
        encode::goaway(&mut last_words, code, reason);
        // If they cannot be said at once, the connection is as good as closed.
        let _ = self.send_at_once(&mut last_words);
        if self.outbox.is_empty() {
            self.part();
        } else {
            self.close();
        }
    }

    /// As [`close`](Self::close), once the peer has received what was written, or a while later.
    fn part(self: &Rc<Self>) {
        self.outbox.close(|| self.new_outbox());
        self.streams_lost();
        let parting = Rc::clone(self);
        let part = move || {
            farewell::wait(parting.stream());
            parting.close();
        };
        if !in_fiber() {
            return part();
        }
        match cancel::shield(|| fibra_scheduler::Builder::new().spawn_local(part)) {
            Ok(fiber) => self.run_by(0, fiber),
            Err(_) => self.close(),
        }
    }

    /// A frame of it has not come whole in time.
    pub(super) fn was_too_slow(self: &Rc<Self>) {
        self.end(self.too_slow());
    }

    fn too_slow(&self) -> End {
        let timeout = self.context().frame_timeout;
        End::Over(GOAWAY_MALFORMED, format!("a frame was not there as a whole after {timeout:?}"))
    }

    /// Whether something has been read and not acted on.
    pub(super) fn keeps_input(&self) -> bool {
        let input = self.input.take();
        let keeps = input.is_some();
        self.input.set(input);
        keeps
    }

    /// Whether it is not read from, for want of room.
    pub(super) fn is_paused(&self) -> bool {
        self.paused.get()
    }

    /// It holds more than its part, and all connections together more than they may.
    pub(super) fn held_too_much(self: &Rc<Self>) {
        drop(self.input.take());
        let max = self.context().load.buffered.max();
        self.end(End::Over(GOAWAY_FULL, format!("the server's connections hold more than {max} bytes")));
    }

    fn peer(&self) -> SocketAddr {
        self.peer.get(&self.extras)
    }

    /// What all connections of its server share.
    #[inline]
    fn context(&self) -> &Arc<Context> {
        self.seat.context()
    }

    fn is_full(&self) -> bool {
        self.in_flight.get() as usize >= self.context().limits.in_flight
    }

    /// Whether one that has run or runs, and so cannot be refused, has to wait for another of its connection to end.
    fn has_to_postpone(&self) -> bool {
        self.in_flight.get() > 0 && (self.is_full() || self.context().load.is_full().is_some())
    }

    pub(super) fn stream(&self) -> &TcpStream {
        self.seat.stream()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There are as many as clients that are connected, most of them idle: what only a busy one needs has a box.
    #[test]
    fn a_connection_is_small() {
        assert!(size_of::<Connection>() <= 120, "{}", size_of::<Connection>());
    }
}
