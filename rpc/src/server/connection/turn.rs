//! A connection's turn: what it has sent is read once, run and answered; and how the reader's role changes hands.
//!
//! Invariant: a turn gives the input back, keeps it with the connection, or has handed it on: it is in one place.

use std::io::{self, Read};
use std::rc::Rc;

use super::{Connection, End};
use crate::outbox::AtOnce;
use crate::scratch;
use crate::server::reader::{Input, Reader};
use crate::wire::encode;
use crate::wire::frame::{Call, Frame};
use crate::wire::header::{Kind, Malformed};

/// How a turn ended.
pub(in crate::server) enum Turn {
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
pub(super) enum Taken {
    /// It has been answered, or needs no answer.
    Done(Box<Reader>),
    /// It has been answered, and there is a batch of replies to be written.
    Filled(Box<Reader>),
    /// It has to wait until another of its connection ends.
    Postponed(Box<Reader>, Call),
    /// It has been answered, by a fiber that does not have the role any more.
    HandedOver,
}

impl Connection {
    /// Acts on what there is, with at most one read.
    pub(in crate::server) fn turn(self: &Rc<Self>, reader: Box<Reader>) -> Turn {
        self.try_turn(reader).unwrap_or_else(|end| {
            self.end(end);
            Turn::Ended
        })
    }

    pub(super) fn try_turn(self: &Rc<Self>, mut reader: Box<Reader>) -> Result<Turn, End> {
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
    pub(super) fn serve_by_thread(self: Rc<Self>) {
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

    pub(super) fn act_on(self: &Rc<Self>, reader: Box<Reader>, frame: Frame) -> Result<Taken, End> {
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
    pub(super) fn pause(self: &Rc<Self>, reader: Box<Reader>) -> Turn {
        self.keep_input(reader);
        self.paused.set(true);
        // It may have been made while this was under way.
        self.resume();
        Turn::Paused
    }

    /// Gets in line again, if it is paused and there is room.
    pub(super) fn resume(&self) {
        let wants = self.postponed.take();
        let has_room = !self.outbox.is_full() && (wants.is_none() || !self.is_full());
        self.postponed.set(wants);
        if has_room && self.paused.replace(false) {
            self.line_up();
        }
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
    pub(super) fn pass_on(&self, xid: u64, role: Option<Box<Reader>>) -> Option<Box<Reader>> {
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
    pub(super) fn is_unread(&self) -> bool {
        let refused = self.refused.take();
        let is_unread = refused.is_some();
        self.refused.set(refused);
        is_unread
    }
}
