//! A connection: whoever has the reader's role reads, runs and answers, until a handler parks.
//!
//! ```text
//!   fiber 1   read ─ call a ─ call b ─ b parks ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ b resumes ─ its reply ─ ends
//!                                        ╲ role
//!   fiber 2                               read ─ call c ─ no frame left: write a, c ─ read ...
//! ```
//!
//! *Run to park*: a handler runs on the reader's stack. One that does not park costs no switch and no spawn; the first park
//! of one that does hands the role (input buffer included) to a new fiber, so that it stalls no other call.
//!
//! Invariants:
//! * One fiber has the role, or one that has been spawned to take it; all are on one worker, so `Rc` and `Cell` suffice.
//! * Replies are written when the input has no whole frame left, when [`FLUSH_BYTES`] are queued, and by who lost the role.
//! * With the output full, the reader does not read, and who lost the role parks with its reply.
//! * A malformed frame ends this connection, with a warning that names the peer and the reason, and no other.
//!
//! A call of the session that has been answered gets the same bytes; one that is being run waits for that run, as a handler that parks
//! does. Only then do limits apply: to answer once more takes no room.
//!
//! On a plain thread nothing parks in the scheduler's sense, so the role stays and calls run one after the other.

mod call;

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use fibra_net::{Shutdown, TcpStream};
use fibra_scheduler::cancel;

use super::accept::Context;
use super::opening;
use super::reader::Reader;
use super::roster::{Seat, Task};
use super::sessions::Held;
use crate::limits::FLUSH_BYTES;
use crate::outbox::{Outbox, Refused};
use crate::scratch;
use crate::wire::encode;
use crate::wire::frame::{Frame, GOAWAY_MALFORMED};
use crate::wire::header::{Kind, Malformed};

/// Serves one connection until it ends.
pub(super) fn serve(seat: Seat, peer: SocketAddr, context: Arc<Context>) {
    let session = match opening::open(&seat.entry().stream, &context.sessions) {
        Ok(session) => session,
        Err(unopened) => return unopened.log(peer),
    };
    let reader = Reader::new(context.limits.frame_bytes);
    let connection = Connection {
        outbox: Outbox::new(context.limits.buffered_bytes),
        session,
        seat,
        peer,
        context,
        in_flight: Cell::new(0),
        role: Cell::new(None),
        refused: Cell::new(None),
        warned: Cell::new(false),
    };
    Rc::new(connection).read_until_end(reader);
}

struct Connection {
    outbox: Outbox,
    session: Held,
    peer: SocketAddr,
    context: Arc<Context>,
    /// Calls begun and not ended.
    in_flight: Cell<usize>,
    /// The role, on its way from one fiber to the next.
    role: Cell<Option<Reader>>,
    /// Why there was no fiber to take the role, until that is logged; and whether it has been, once a connection.
    refused: Cell<Option<io::Error>>,
    warned: Cell<bool>,
    /// Last, so that the connection leaves the roster when all else is gone.
    seat: Seat,
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
    /// Takes the role, and keeps it until the connection ends or a handler parks.
    fn read_until_end(self: Rc<Self>, reader: Reader) {
        let Err(end) = self.read(reader) else {
            // The role has gone to another fiber; this one has answered its call, and is done.
            return;
        };
        match end {
            End::Eof => tracing::debug!(peer = %self.peer, "the peer closed the connection"),
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
                // If they cannot be said, the connection is as good as closed.
                let _ = self.outbox.append(&mut last_words);
                let _ = self.flush();
                self.close();
            }
        }
    }

    /// `Ok` once the role has passed on, else how the connection ended.
    fn read(self: &Rc<Self>, mut reader: Reader) -> Result<(), End> {
        loop {
            match reader.next_frame()? {
                Some(Frame::Call(call)) => match self.take_call(reader, call)? {
                    Some(kept) => reader = kept,
                    None => return Ok(()),
                },
                // Too late, unless it overtook its call.
                Some(Frame::Cancel { .. }) => {}
                Some(Frame::Reply { xid, .. }) => return Err(Malformed::Unexpected { kind: Kind::Reply, xid }.into()),
                Some(Frame::Failure { xid, .. }) => {
                    return Err(Malformed::Unexpected { kind: Kind::Failure, xid }.into());
                }
                Some(Frame::GoAway { .. }) => {
                    return Err(Malformed::Unexpected { kind: Kind::GoAway, xid: 0 }.into());
                }
                Some(Frame::Open(_)) => return Err(Malformed::Unexpected { kind: Kind::Open, xid: 0 }.into()),
                Some(Frame::Opened(_)) => return Err(Malformed::Unexpected { kind: Kind::Opened, xid: 0 }.into()),
                None => {
                    self.flush()?;
                    self.room()?;
                    if !reader.read(self.stream())? {
                        return Err(End::Eof);
                    }
                }
            }
        }
    }

    /// Hands the role to a new fiber of this worker. Gives it back if there is no fiber to be had; the other calls of this
    /// connection then wait for this one.
    fn pass_on(self: &Rc<Self>, role: Option<Reader>) -> Option<Reader> {
        self.role.set(role);
        let connection = Rc::clone(self);
        // Called from within a handler, whose deadline is not the reader's.
        let spawned = cancel::shield(|| {
            fibra_scheduler::Builder::new().spawn_local(move || {
                if let Some(reader) = connection.role.take() {
                    connection.read_until_end(reader);
                }
            })
        });
        match spawned {
            Ok(fiber) => {
                self.seat.entry().add(Task::Fiber(fiber));
                None
            }
            Err(error) => {
                self.refused.set(Some(error));
                self.role.take()
            }
        }
    }

    /// Queues a reply, and writes if there is reason to.
    fn answer(&self, mut reply: Vec<u8>, has_role: bool) -> io::Result<()> {
        let mut queued = 0;
        while !reply.is_empty() {
            match self.outbox.append(&mut reply) {
                Ok(now) => queued = now.bytes,
                Err(Refused::Full) => {
                    self.flush()?;
                    self.room()?;
                }
                // Nobody is there to read it. The reader finds out by itself.
                Err(Refused::Closed) => break,
            }
        }
        scratch::give(reply);
        if !has_role || queued >= FLUSH_BYTES { self.flush() } else { Ok(()) }
    }

    /// Nothing more is read or written. Wakes whoever waits for either.
    fn close(&self) {
        self.outbox.close();
        // Fails only if the peer was faster.
        let _ = self.stream().shutdown(Shutdown::Both);
    }

    fn flush(&self) -> io::Result<()> {
        self.outbox.flush(self.stream())
    }

    /// Parks while the output is full: another fiber is writing, to a peer that takes its time.
    fn room(&self) -> io::Result<()> {
        // Without a deadline it ends by a cancellation only. How long a peer may take is bounded by the write timeout.
        Ok(self.outbox.wait_for_room(None)?)
    }

    fn stream(&self) -> &TcpStream {
        &self.seat.entry().stream
    }
}
