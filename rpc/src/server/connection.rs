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
//! * A malformed frame ends this connection, with a warning that names the peer and the reason, and no other.
//!
//! A call of the session that has been answered gets the same bytes; one that is being run waits for that run, as a handler that parks
//! does. Only then do limits apply: to answer once more takes no room.
//!
//! On a plain thread nothing parks in the scheduler's sense, so the role stays and calls run one after the other.

mod call;
mod stream;

use std::cell::{Cell, OnceCell};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Instant;

use fibra_net::{Shutdown, TcpStream};
use fibra_scheduler::{JoinHandle, cancel, clock, in_fiber};

use super::accept::Context;
use super::dispatch::{Dispatch, Key};
use super::drain;
use super::glitches::Glitches;
use super::opening;
use super::reader::{Input, Reader};
use super::roster::{Seat, Task};
use super::sessions::Held;
use super::streams::Streams;
use crate::limits::FLUSH_BYTES;
use crate::metrics::{Metrics, Shard};
use crate::outbox::{Outbox, Refused};
use crate::rate::Pings;
use crate::scratch;
use crate::wire::encode;
use crate::wire::frame::{Call, Frame, GOAWAY_MALFORMED};
use crate::wire::header::{Kind, Malformed};

/// Opens a connection, and has it served: on a plain thread until it ends, else by the worker's [`Dispatch`].
pub(super) fn serve(seat: Seat, peer: SocketAddr, context: Arc<Context>) {
    let session = match opening::open(&seat.entry().stream, &context.sessions) {
        Ok(session) => session,
        Err(unopened) => return unopened.log(peer),
    };
    let shard = context.metrics.as_ref().map(Metrics::shard);
    let connection = Rc::new(Connection {
        outbox: Arc::new(Outbox::new(context.limits.buffered_bytes)),
        streams: OnceCell::new(),
        session,
        glitches: Glitches::new(context.limits.window, clock::now()),
        seat,
        peer,
        context,
        place: OnceCell::new(),
        shard,
        in_flight: Cell::new(0),
        input: Cell::new(None),
        replies: Cell::default(),
        postponed: Cell::new(None),
        has_fibers: Cell::new(false),
        paused: Cell::new(false),
        draining: Cell::new(false),
        told: Cell::new(false),
        read_at: Cell::new(None),
        refused: Cell::new(None),
        warned: Cell::new(false),
        pings: Cell::default(),
    });
    if !in_fiber() {
        return connection.serve_by_thread();
    }
    let adopted = Dispatch::here(&connection.context).and_then(|dispatch| dispatch.adopt(&connection));
    // Nobody else has run between: what is forgotten is this fiber only.
    connection.seat.entry().opened();
    if let Err(error) = adopted {
        tracing::warn!(%peer, %error, "closed a new connection: nothing could be started to serve it");
        connection.close();
    }
}

pub(super) struct Connection {
    outbox: Arc<Outbox>,
    /// Made when the first call streams.
    streams: OnceCell<Box<Streams>>,
    session: Held,
    glitches: Glitches,
    peer: SocketAddr,
    context: Arc<Context>,
    /// This thread's counts, if the server counts.
    shard: Option<Arc<Shard>>,
    /// Who serves it, and under what name; nobody else if it has a thread of its own.
    place: OnceCell<(Weak<Dispatch>, Key)>,
    /// Calls begun and not ended.
    in_flight: Cell<usize>,
    /// What was read and not yet acted on, while nobody has the role.
    input: Cell<Option<Box<Reader>>>,
    /// Replies of this turn, to be queued before the next write.
    replies: Cell<Vec<u8>>,
    /// A call for which there was no room.
    postponed: Cell<Option<Box<Call>>>,
    /// Its entry may still hold fibers that have run a call.
    has_fibers: Cell<bool>,
    /// It is out of the line until there is room.
    paused: Cell<bool>,
    /// A fiber writes what the peer did not take at once.
    draining: Cell<bool>,
    /// The client knows that the server drains.
    told: Cell<bool>,
    /// When it was last read from.
    read_at: Cell<Option<Instant>>,
    /// Why there was no fiber to take the role, until that is logged; and whether it has been, once a connection.
    refused: Cell<Option<io::Error>>,
    warned: Cell<bool>,
    pings: Cell<Pings>,
    /// Last, so that the connection leaves the roster when all else is gone.
    seat: Seat,
}

/// How a turn ended.
pub(super) enum Turn {
    /// All that there was has been read and acted on, but for a frame of which more is to come.
    Drained(Box<Reader>),
    /// As before, and there may be more to read.
    Filled(Box<Reader>),
    /// It cannot go on for want of room, and gets in line by itself when there is some.
    Paused,
    /// A handler has parked: others have the role, and the lead.
    HandedOver,
    /// The connection has ended.
    Ended,
}

/// What became of one call.
enum Taken {
    /// It has been answered, or needs no answer.
    Done(Box<Reader>),
    /// It has been answered, and there is a batch of replies to be written.
    Filled(Box<Reader>),
    /// It has to wait until another of its connection ends.
    Postponed(Box<Reader>, Call),
    /// It has been answered, by a fiber that does not have the role any more.
    HandedOver,
}

/// How the reading ended.
enum End {
    /// The peer closed its side, at a frame's end or within one.
    Eof,
    Io(io::Error),
    Malformed(Malformed),
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

    /// What has been read and not yet acted on.
    pub(super) fn take_input(&self) -> Option<Box<Reader>> {
        self.input.take()
    }

    /// When it was last read from.
    pub(super) fn read_at(&self) -> Option<Instant> {
        self.read_at.get()
    }

    pub(super) fn was_read(&self, at: Instant) {
        self.read_at.set(Some(at));
    }

    pub(super) fn keep_input(&self, reader: Box<Reader>) {
        self.input.set(Some(reader));
    }

    /// `fiber` runs call `xid`, without the role.
    pub(super) fn run_by(&self, xid: u64, fiber: JoinHandle<()>) {
        self.has_fibers.set(true);
        self.seat.entry().add(xid, Task::Fiber(fiber));
    }

    /// Acts on what there is, with at most one read.
    pub(super) fn turn(self: &Rc<Self>, reader: Box<Reader>) -> Turn {
        self.try_turn(reader).unwrap_or_else(|end| {
            self.end(end);
            Turn::Ended
        })
    }

    fn try_turn(self: &Rc<Self>, mut reader: Box<Reader>) -> Result<Turn, End> {
        let mut input = None;
        if self.outbox.is_full() && !self.make_room()? {
            return Ok(self.pause(reader));
        }
        loop {
            let frame = match self.postponed.take() {
                Some(call) => Some(Frame::Call(*call)),
                None => reader.next_frame()?,
            };
            if let Some(frame) = frame {
                match self.act_on(reader, frame)? {
                    Taken::Done(kept) => reader = kept,
                    Taken::Filled(kept) if self.make_room()? => reader = kept,
                    Taken::Filled(kept) => return Ok(self.pause(kept)),
                    Taken::Postponed(kept, call) => {
                        self.postponed.set(Some(Box::new(call)));
                        self.write_now()?;
                        return Ok(self.pause(kept));
                    }
                    Taken::HandedOver => return Ok(Turn::HandedOver),
                }
                continue;
            }
            match input {
                None => {
                    input = match reader.read(|space| self.stream().try_read(space)) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some(Input::Drained),
                        read => Some(read?),
                    };
                }
                Some(input) => {
                    self.write_now()?;
                    if self.in_flight.get() == 0 && self.has_fibers.replace(false) {
                        let fibers_are_left = self.seat.entry().forget_finished();
                        self.has_fibers.set(fibers_are_left);
                    }
                    return match input {
                        Input::End => Err(End::Eof),
                        Input::Drained => Ok(Turn::Drained(reader)),
                        Input::Filled => Ok(Turn::Filled(reader)),
                    };
                }
            }
        }
    }

    /// Reads, runs and writes until the connection ends.
    fn serve_by_thread(self: Rc<Self>) {
        if self.seat.open(&self.outbox) {
            self.tell_of_drain();
        }
        let mut reader = Box::new(Reader::new(self.context.limits.frame_bytes, None));
        let ended = loop {
            let step = match reader.next_frame() {
                Ok(Some(frame)) => self.act_on(reader, frame),
                Ok(None) => self.flush().map_err(End::Io).and_then(|()| {
                    let mut stream = self.stream();
                    match reader.read(|space| stream.read(space))? {
                        Input::End => Err(End::Eof),
                        Input::Drained | Input::Filled => Ok(Taken::Done(reader)),
                    }
                }),
                Err(malformed) => Err(malformed.into()),
            };
            match step {
                Ok(Taken::Done(kept)) => reader = kept,
                Ok(Taken::Filled(kept)) => match self.flush() {
                    Ok(()) => reader = kept,
                    Err(error) => break error.into(),
                },
                // Both need another fiber, or another call under way.
                Ok(Taken::Postponed(..) | Taken::HandedOver) => break End::Eof,
                Err(end) => break end,
            }
        };
        self.end(ended);
    }

    /// The server drains: the client is to make no new calls here.
    pub(super) fn tell_of_drain(self: &Rc<Self>) {
        if self.told.replace(true) {
            return;
        }
        drain::append_goaway(&self.outbox);
        if let Err(error) = self.write_now() {
            self.end(End::Io(error));
        }
    }

    /// Whether calls of it are under way, or answers.
    pub(super) fn is_busy(&self) -> bool {
        let postponed = self.postponed.take();
        let is_busy = self.in_flight.get() > 0 || postponed.is_some() || !self.outbox.is_empty();
        self.postponed.set(postponed);
        is_busy
    }

    fn act_on(self: &Rc<Self>, reader: Box<Reader>, frame: Frame) -> Result<Taken, End> {
        let (kind, xid) = match frame {
            Frame::Call(call) => return self.take_call(reader, call),
            Frame::Cancel { xid } => {
                self.glitches.spend(reader.read_at())?;
                // What has not parked has ended by now.
                self.seat.entry().cancel(xid);
                self.stream_cancelled(xid);
                return Ok(Taken::Done(reader));
            }
            Frame::Item { xid, more, piece } => {
                self.streams().item(xid, &piece, more)?;
                return Ok(Taken::Done(reader));
            }
            Frame::End { xid, how } => {
                self.streams().end(xid, how)?;
                return Ok(Taken::Done(reader));
            }
            Frame::Credit { xid, bytes } => {
                if !self.streams().credit(xid, bytes)? {
                    self.glitches.spend(reader.read_at())?;
                }
                return Ok(Taken::Done(reader));
            }
            Frame::Ping { echo } => {
                let mut pings = self.pings.take();
                if !pings.admit(reader.read_at()) {
                    return Err(Malformed::Flood { kind: Kind::Ping }.into());
                }
                self.pings.set(pings);
                let mut pong = scratch::take();
                encode::pong(&mut pong, echo);
                return self.answered(pong, reader);
            }
            // This side asks nothing.
            Frame::Pong { .. } => (Kind::Pong, 0),
            Frame::Reply { xid, .. } => (Kind::Reply, xid),
            Frame::Failure { xid, .. } => (Kind::Failure, xid),
            Frame::GoAway { .. } => (Kind::GoAway, 0),
            Frame::Open(_) => (Kind::Open, 0),
            Frame::Opened(_) => (Kind::Opened, 0),
        };
        Err(Malformed::Unexpected { kind, xid }.into())
    }

    /// Puts the connection aside until there is room. Who makes some looks here, on this same worker.
    fn pause(self: &Rc<Self>, reader: Box<Reader>) -> Turn {
        self.keep_input(reader);
        self.paused.set(true);
        // It may have been made while this was under way.
        self.resume();
        Turn::Paused
    }

    /// Gets in line again, if it is paused and there is room.
    fn resume(&self) {
        let wants = self.postponed.take();
        let has_room = !self.outbox.is_full() && (wants.is_none() || !self.is_full());
        self.postponed.set(wants);
        if has_room && self.paused.replace(false) {
            self.line_up();
        }
    }

    fn line_up(&self) {
        if let Some((dispatch, key)) = self.place.get()
            && let Some(dispatch) = dispatch.upgrade()
        {
            dispatch.line_up(*key);
        }
    }

    /// Hands the role to whoever leads next. Gives it back if there is no fiber to lead; the other calls of this worker then wait for
    /// this one. On a thread of its own a connection never comes here.
    fn pass_on(&self, xid: u64, role: Option<Box<Reader>>) -> Option<Box<Reader>> {
        let Some((dispatch, key)) = self.place.get() else { return role };
        let Some(dispatch) = dispatch.upgrade() else { return role };
        // Its writing is for who leads next.
        self.queue();
        if let Some(reader) = &role {
            dispatch.turn_ended(reader, self, true);
        }
        self.input.set(role);
        match Rc::clone(&dispatch).hand_over(xid, self) {
            Ok(()) => {
                dispatch.line_up(*key);
                None
            }
            Err(error) => {
                self.refused.set(Some(error));
                // What has been answered is not to wait for this one. It takes no waiting; if it fails, the next write does.
                let _ = self.outbox.flush(AtOnce(self.stream()));
                self.input.take()
            }
        }
    }

    /// Whether there was no fiber to hand the role to: what this one waits for keeps the connection from being read.
    fn is_unread(&self) -> bool {
        let refused = self.refused.take();
        let is_unread = refused.is_some();
        self.refused.set(refused);
        is_unread
    }

    /// Adds a reply to those of this turn: by who has the role, who writes them together. Whether they are enough for a write.
    fn batch(&self, mut reply: Vec<u8>) -> bool {
        if reply.is_empty() {
            return false;
        }
        let mut replies = self.replies.take();
        if replies.is_empty() {
            std::mem::swap(&mut replies, &mut reply);
        } else {
            replies.extend_from_slice(&reply);
        }
        scratch::give(reply);
        let is_enough = replies.len() >= FLUSH_BYTES;
        self.replies.set(replies);
        is_enough
    }

    /// Queues the replies of this turn.
    fn queue(&self) {
        let mut replies = self.replies.take();
        if !replies.is_empty() {
            self.outbox.append_anyway(&mut replies);
        }
        scratch::give(replies);
    }

    /// Sends a reply, by who does not have the role.
    fn answer(&self, mut reply: Vec<u8>) -> io::Result<()> {
        while !reply.is_empty() {
            match self.outbox.append(&mut reply) {
                Ok(_) => {}
                Err(Refused::Full) => {
                    self.flush()?;
                    // Without a deadline it ends by a cancellation only. How long a peer may take is bounded by the write timeout.
                    self.outbox.wait_for_room(None)?;
                }
                // Nobody is there to read it. The reader finds out by itself.
                Err(Refused::Closed) => break,
            }
        }
        scratch::give(reply);
        self.flush()
    }

    /// Nothing more is read or written. Wakes whoever waits for either.
    pub(super) fn close(&self) {
        self.outbox.close();
        self.streams_lost();
        // Fails only if the peer was faster.
        let _ = self.stream().shutdown(Shutdown::Both);
    }

    /// Its socket cannot be watched any more.
    pub(super) fn lost(&self, error: &io::Error) {
        tracing::warn!(peer = %self.peer, %error, "closed a connection");
        self.close();
    }

    fn end(&self, end: End) {
        match end {
            End::Eof => {
                tracing::debug!(peer = %self.peer, "the peer closed the connection");
                self.streams_lost();
            }
            End::Io(error) => {
                // Reading waits for ever, so it is writing that took too long.
                if error.kind() == io::ErrorKind::TimedOut {
                    tracing::warn!(peer = %self.peer, reason = "the peer does not read its replies", "closed a connection");
                } else {
                    tracing::debug!(peer = %self.peer, %error, "a connection was lost");
                }
                self.close();
            }
            End::Malformed(reason) => {
                tracing::warn!(peer = %self.peer, %reason, "closed a connection");
                let mut last_words = scratch::take();
                encode::goaway(&mut last_words, GOAWAY_MALFORMED, &reason.to_string());
                // If they cannot be said at once, the connection is as good as closed.
                self.queue();
                self.outbox.append_anyway(&mut last_words);
                let _ = self.outbox.flush(AtOnce(self.stream()));
                self.close();
            }
        }
    }

    /// Writes what is queued, for as long as that takes.
    fn flush(&self) -> io::Result<()> {
        self.queue();
        let flushed = self.outbox.flush(self.stream());
        self.resume();
        flushed
    }

    /// Writes what the peer takes at once. A fiber of its own waits for it to take the rest.
    fn write_now(self: &Rc<Self>) -> io::Result<()> {
        if !in_fiber() {
            return self.flush();
        }
        self.queue();
        self.outbox.flush(AtOnce(self.stream()))?;
        if !self.outbox.is_stuck() || self.draining.get() {
            return Ok(());
        }
        let draining = Draining(Rc::clone(self));
        let drain = move || {
            let Draining(connection) = &draining;
            let drained = connection.flush();
            connection.draining.set(false);
            if let Err(error) = drained {
                connection.end(End::Io(error));
            }
            connection.resume();
        };
        match cancel::shield(|| fibra_scheduler::Builder::new().spawn_local(drain)) {
            Ok(fiber) => {
                self.draining.set(true);
                self.run_by(0, fiber);
                Ok(())
            }
            // There is no other way than to wait here.
            Err(_) => self.flush(),
        }
    }

    /// Writes what is in the way; whether there is room then.
    fn make_room(self: &Rc<Self>) -> io::Result<bool> {
        self.write_now()?;
        Ok(!self.outbox.is_full())
    }

    fn is_full(&self) -> bool {
        self.in_flight.get() >= self.context.limits.in_flight
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.seat.entry().stream
    }
}

/// The fiber that waits for the peer to take what is written. If it never runs, since there was no stack for it, the connection is closed.
struct Draining(Rc<Connection>);

impl Drop for Draining {
    fn drop(&mut self) {
        if self.0.draining.replace(false) {
            self.0.close();
        }
    }
}

/// A stream that is written without waiting.
pub(super) struct AtOnce<'a>(pub(super) &'a TcpStream);

impl Write for AtOnce<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
