//! A connection's turn: what it has sent is read once, run and answered; and how the reader's role changes hands.
//!
//! Invariant: a turn gives the input back, keeps it with the connection, or has handed it on: it is in one place.

use std::io::{self, Read};
use std::rc::Rc;

use fibra_scheduler::clock;

use super::{Connection, Desk, End};
use crate::buffered::Share;
use crate::error::Peer;
use crate::outbox::AtOnce;
use crate::server::reader::{Input, Reader};
use crate::server::store::Session;
use crate::session::Xid;
use crate::wire::encode;
use crate::wire::frame::Frame;
use crate::wire::header::{Kind, Malformed};

/// How a turn ended.
pub(in crate::server) enum Turn {
    /// All that there was has been read and acted on, but for a frame of which more is to come.
    Drained(Box<Reader>),
    /// As before, and there may be more to read.
    Filled(Box<Reader>),
    /// It has taken long, and there is more to act on.
    Cut(Box<Reader>),
    /// It cannot go on for want of room, and gets in line by itself when there is some.
    Paused,
    /// A handler has parked: others have the role, and the lead.
    HandedOver,
    /// The connection has ended.
    Ended,
}

/// The reader's role: with whoever runs a call, until that parks.
pub(super) type Role = Option<Box<Reader>>;

/// What became of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It has been acted on: if it was a call, that has been answered, or needs no answer.
    Done,
    /// As before, and there is a batch of replies to be written.
    Filled,
    /// There was none that is whole.
    Empty,
    /// It is a call that has to wait until another of its connection ends.
    Postponed,
    /// It has been answered, by a fiber that does not have the role any more.
    HandedOver,
}

impl Step {
    /// Behind a reply that may have made them enough for a write.
    #[inline]
    pub(super) fn behind(are_enough: bool) -> Self {
        if are_enough { Self::Filled } else { Self::Done }
    }
}

/// Adds a reply to those of this turn, with what its session is to be told: one that no handler made just now.
#[inline(never)]
pub(super) fn answered(role: &mut Role, out: &mut Vec<u8>, ended: Option<(Xid, bool)>) -> Step {
    Step::behind(role.as_mut().is_some_and(|reader| reader.replies.add(out, ended)))
}

impl Connection {
    /// Acts on what there is, with at most one read.
    pub(in crate::server) fn turn(self: &Rc<Self>, reader: Box<Reader>) -> Turn {
        let mut role = Some(reader);
        self.try_turn(&mut role).unwrap_or_else(|end| {
            self.end_by(end, role);
            Turn::Ended
        })
    }

    /// Ends the connection behind what has been answered.
    fn end_by(self: &Rc<Self>, end: End, role: Role) {
        if let Some(mut reader) = role {
            self.queue(&mut reader.replies);
        }
        self.end(end);
    }

    fn try_turn(self: &Rc<Self>, role: &mut Role) -> Result<Turn, End> {
        let mut input = None;
        let mut has_acted = false;
        let mut desk = Desk::new(Peer::Remote(self.peer()));
        if self.outbox.is_full()
            && let Some(reader) = role
            && !self.make_room(&mut reader.replies)?
        {
            return Ok(role.take().map_or(Turn::HandedOver, |reader| self.pause(reader)));
        }
        let mut step = self.take_held(role, &mut desk)?;
        loop {
            let Some(reader) = role else { return Ok(Turn::HandedOver) };
            let has_room = match step {
                Step::Done if reader.turn_is_over() && !reader.is_empty() => {
                    self.send(&mut reader.replies)?;
                    reader.is_not_unfinished();
                    return Ok(role.take().map_or(Turn::HandedOver, Turn::Cut));
                }
                Step::Done => true,
                Step::Filled => self.make_room(&mut reader.replies)?,
                Step::Postponed => {
                    self.postponed.set(true);
                    self.send(&mut reader.replies)?;
                    false
                }
                Step::HandedOver => return Ok(Turn::HandedOver),
                Step::Empty if let Some(input) = input => {
                    self.send(&mut reader.replies)?;
                    if has_acted {
                        reader.is_not_unfinished();
                    }
                    return self.all_done(input, role);
                }
                Step::Empty => {
                    input = match reader.read(|space| self.stream().try_read(space)) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some(Input::Drained),
                        read => Some(read?),
                    };
                    true
                }
            };
            if !has_room {
                return Ok(role.take().map_or(Turn::HandedOver, |reader| self.pause(reader)));
            }
            step = self.step(role, &mut desk)?;
            has_acted |= step != Step::Empty;
        }
    }

    /// The turn is over: all that was read has been acted on.
    fn all_done(&self, input: Input, role: &mut Role) -> Result<Turn, End> {
        if self.in_flight.get() == 0 && self.has_fibers.replace(false) {
            let fibers_are_left = self.seat.forget_finished();
            self.has_fibers.set(fibers_are_left);
        }
        match (input, role.take()) {
            // What it has sent before is still answered.
            (Input::End, Some(reader)) if self.holds_any() => {
                // Nothing follows: there is no need for a buffer meanwhile.
                if !reader.is_empty() {
                    self.keep_input(reader, false);
                }
                Ok(Turn::Paused)
            }
            (Input::End, _) => Err(End::Eof),
            (_, None) => Ok(Turn::HandedOver),
            (Input::Drained, Some(reader)) => Ok(Turn::Drained(reader)),
            (Input::Filled, Some(reader)) => Ok(Turn::Filled(reader)),
        }
    }

    /// Reads, runs and writes until the connection ends.
    pub(super) fn serve_by_thread(self: Rc<Self>) {
        if self.seat.open(&self.shared_outbox()) {
            self.tell_of_drain();
        }
        let mut role = Some(Box::new(Reader::new(self.context().limits.frame_bytes, None, Share::default())));
        let mut desk = Desk::new(Peer::Remote(self.peer()));
        let ended = loop {
            if let Err(end) = self.step_by_thread(&mut role, &mut desk) {
                break end;
            }
        };
        let is_eof = matches!(ended, End::Eof);
        self.end_by(ended, role);
        if is_eof {
            // What the peer did not take at once when the server began to drain. If it fails, there is nobody to be told.
            let _ = self.flush();
        }
    }

    fn step_by_thread(self: &Rc<Self>, role: &mut Role, desk: &mut Desk) -> Result<(), End> {
        let step = self.step(role, desk)?;
        let Some(reader) = role else { return Err(End::Eof) };
        match step {
            Step::Done => reader.is_not_unfinished(),
            Step::Filled => {
                reader.is_not_unfinished();
                self.queue(&mut reader.replies);
                self.flush()?;
            }
            Step::Empty => {
                self.queue(&mut reader.replies);
                self.flush()?;
                return self.read_by_thread(reader);
            }
            // Both need another fiber, or another call under way.
            Step::Postponed | Step::HandedOver => return Err(End::Eof),
        }
        Ok(())
    }

    /// Waits for more; for the rest of a frame no longer than it may take.
    fn read_by_thread(&self, reader: &mut Reader) -> Result<(), End> {
        let mut stream = self.stream();
        let timeout = self.context().frame_timeout;
        let deadline = if reader.is_empty() { None } else { reader.unfinished_since().checked_add(timeout) };
        let left = deadline.map(|deadline| deadline.saturating_duration_since(clock::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(self.too_slow());
        }
        stream.set_read_timeout(left)?;
        match reader.read(|space| stream.read(space)) {
            Ok(Input::End) => Err(End::Eof),
            Ok(Input::Drained | Input::Filled) => Ok(()),
            Err(error) if left.is_some() && error.kind() == io::ErrorKind::TimedOut => Err(self.too_slow()),
            Err(error) => Err(error.into()),
        }
    }

    /// Acts on the next frame of what has been read. All of the way of a call that does not park is in its place here.
    #[inline(always)]
    fn step(self: &Rc<Self>, role: &mut Role, desk: &mut Desk) -> Result<Step, End> {
        let Some(reader) = role else { return Ok(Step::HandedOver) };
        match reader.decoder().next_plain_call() {
            Some(call) => self.take_call(role, desk, call),
            None => self.step_otherwise(role, desk),
        }
    }

    /// As [`step`](Self::step), of whatever comes next.
    #[inline(never)]
    fn step_otherwise(self: &Rc<Self>, role: &mut Role, desk: &mut Desk) -> Result<Step, End> {
        let Some(reader) = role else { return Ok(Step::HandedOver) };
        match reader.decoder().next_frame()? {
            None => Ok(Step::Empty),
            Some(frame) => self.act_on(role, desk, frame),
        }
    }

    fn act_on(self: &Rc<Self>, role: &mut Role, desk: &mut Desk, frame: Frame) -> Result<Step, End> {
        let read_at = role.as_ref().map_or_else(clock::now, |reader| reader.read_at());
        let (kind, xid) = match frame {
            Frame::Call(call) if call.ordered.is_some() => return self.take_ordered(role, desk, call),
            Frame::Call(call) => return self.take_call(role, desk, call),
            Frame::Cancel { xid } => {
                self.glitches.spend(read_at)?;
                // What has not parked has ended by now.
                self.seat.cancel(xid);
                self.cancel_held(xid);
                self.stream_cancelled(xid);
                return Ok(Step::Done);
            }
            Frame::Item { xid, more, piece } => {
                self.streams().item(xid, &piece, more)?;
                return Ok(Step::Done);
            }
            Frame::End { xid, how } => {
                self.streams().end(xid, how)?;
                return Ok(Step::Done);
            }
            Frame::Credit { xid, bytes } => {
                if !self.streams().credit(xid, bytes)? {
                    self.glitches.spend(read_at)?;
                }
                return Ok(Step::Done);
            }
            Frame::Ping { echo } => {
                self.glitches.spend(read_at)?;
                encode::pong(&mut desk.out, echo);
                return Ok(answered(role, &mut desk.out, None));
            }
            Frame::Acknowledge { first_incomplete, wanted } => {
                self.glitches.spend(read_at)?;
                self.session.set_aside(first_incomplete, &wanted)?;
                return Ok(Step::Done);
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
    fn pause(self: &Rc<Self>, mut reader: Box<Reader>) -> Turn {
        // Until there is room it is not the peer who is waited for.
        reader.is_not_unfinished();
        // However much it is, the peer has not caused it alone.
        self.keep_input(reader, true);
        self.paused.set(true);
        // It may have been made while this was under way.
        self.resume();
        Turn::Paused
    }

    /// Gets in line again, if it is paused and there is room.
    pub(super) fn resume(&self) {
        if !self.paused.get() {
            return;
        }
        let has_room = self.outbox.has_room() && (!self.postponed.get() || !self.has_to_postpone());
        if has_room {
            self.paused.set(false);
            self.postponed.set(false);
            self.line_up();
        } else if self.postponed.get() && self.context().load.is_full().is_some() {
            self.await_room();
        }
    }

    /// Has the worker look when calls of other connections have ended, too.
    #[cold]
    fn await_room(&self) {
        if let Some((dispatch, key)) = self.place.get()
            && let Some(dispatch) = dispatch.upgrade()
            && !self.extras().awaits_room.replace(true)
        {
            dispatch.postpone(*key);
        }
    }

    /// That has come to pass.
    pub(in crate::server) fn told_of_room(&self) {
        self.extras().awaits_room.set(false);
        self.resume();
    }

    pub(super) fn line_up(&self) {
        if let Some((dispatch, key)) = self.place.get()
            && let Some(dispatch) = dispatch.upgrade()
        {
            dispatch.line_up(*key);
        }
    }

    /// Hands the role to whoever leads next. Gives it back if there is no fiber to lead; the other calls of this worker then wait for
    /// this one. On a thread of its own a connection never comes here.
    pub(super) fn pass_on(&self, xid: u64, role: Role) -> Role {
        let Some((dispatch, key)) = self.place.get() else { return role };
        let Some(dispatch) = dispatch.upgrade() else { return role };
        let mut role = role;
        if let Some(reader) = &mut role {
            // Its writing is for who leads next.
            self.queue(&mut reader.replies);
            reader.is_not_unfinished();
            dispatch.turn_ended(reader, self, true);
        }
        self.input.set(role);
        match Rc::clone(&dispatch).hand_over(xid, self) {
            Ok(()) => {
                self.pass_held_on();
                dispatch.line_up(*key);
                None
            }
            Err(error) => {
                self.extras().refused.set(Some(error));
                // What has been answered is not to wait for this one. It takes no waiting; if it fails, the next write does.
                let _ = self.outbox.flush(AtOnce(self.stream()));
                self.input.take()
            }
        }
    }

    /// Whether there was no fiber to hand the role to: what this one waits for keeps the connection from being read.
    pub(super) fn is_unread(&self) -> bool {
        let refused = self.take_refused();
        let is_unread = refused.is_some();
        if is_unread {
            self.extras().refused.set(refused);
        }
        is_unread
    }
}
