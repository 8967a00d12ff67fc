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
//! On a plain thread nothing parks in the scheduler's sense, so the role stays and calls run one after the other.

use std::cell::Cell;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use fibra_net::{Shutdown, TcpStream};
use fibra_scheduler::{clock, park};

use super::accept::Context;
use super::handler::{self, Refusal};
use super::roster::{Seat, Task};
use crate::limits::{CANCELS_AHEAD_MAX, FLUSH_BYTES, PREFACE_TIMEOUT, READ_BYTES, WRITE_STALL_MAX};
use crate::outbox::{Outbox, Refused};
use crate::scratch;
use crate::wire::decode::Decoder;
use crate::wire::encode;
use crate::wire::frame::{Call, Frame, GOAWAY_MALFORMED};
use crate::wire::header::{Kind, Malformed};
use crate::wire::preface;

/// Serves one connection until it ends.
pub(super) fn serve(seat: Seat, peer: SocketAddr, context: Arc<Context>) {
    match open(&seat.entry().stream) {
        Ok(()) => {}
        Err(Opening::Io(error)) => {
            tracing::debug!(%peer, %error, "a connection ended before it was opened");
            return;
        }
        Err(Opening::NotFibra) => {
            tracing::warn!(%peer, reason = "it does not begin with a fibra preface", "closed a connection");
            return;
        }
        Err(Opening::Version(version)) => {
            tracing::warn!(%peer, version, ours = preface::VERSION, reason = "unknown version", "closed a connection");
            return;
        }
    }
    let reader = Reader::new(context.limits.frame_bytes);
    let connection = Connection {
        outbox: Outbox::new(context.limits.buffered_bytes),
        seat,
        peer,
        context,
        in_flight: Cell::new(0),
        role: Cell::new(None),
    };
    Rc::new(connection).read_until_end(reader);
}

/// Why a connection was not opened.
enum Opening {
    Io(io::Error),
    NotFibra,
    Version(u8),
}

impl From<io::Error> for Opening {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Exchanges prefaces.
fn open(mut stream: &TcpStream) -> Result<(), Opening> {
    // Replies are written by the batch: waiting for more would only delay them.
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PREFACE_TIMEOUT))?;
    stream.set_write_timeout(Some(WRITE_STALL_MAX))?;
    let mut asked = [0; preface::LEN];
    stream.read_exact(&mut asked)?;
    let version = preface::decode(&asked).ok_or(Opening::NotFibra)?;
    // The same answer says yes to our version and no to another.
    io::Write::write_all(&mut stream, &preface::encode(preface::VERSION))?;
    if version != preface::VERSION {
        return Err(Opening::Version(version));
    }
    stream.set_read_timeout(None)?;
    Ok(())
}

struct Connection {
    outbox: Outbox,
    peer: SocketAddr,
    context: Arc<Context>,
    /// Calls begun and not ended.
    in_flight: Cell<usize>,
    /// The role, on its way from one fiber to the next.
    role: Cell<Option<Reader>>,
    /// Last, so that the connection leaves the roster when all else is gone.
    seat: Seat,
}

/// The reader's role: what the one who reads needs, and nobody else may touch.
struct Reader {
    decoder: Decoder,
    /// When the bytes in the decoder were read, for the calls' deadlines.
    read_at: Instant,
    /// Calls that were cancelled by a frame behind their own.
    cancelled: Vec<u64>,
}

impl Reader {
    fn new(frame_bytes_max: usize) -> Self {
        Self { decoder: Decoder::new(frame_bytes_max), read_at: clock::now(), cancelled: Vec::new() }
    }

    /// Reads once; whether the connection goes on.
    fn read(&mut self, mut stream: &TcpStream) -> io::Result<bool> {
        let space = self.decoder.space();
        let asked = space.len();
        let count = stream.read(space)?;
        self.decoder.filled(count);
        self.read_at = clock::now();
        self.cancelled.clear();
        self.cancelled.extend(self.decoder.cancels().take(CANCELS_AHEAD_MAX));
        if count == asked && asked >= READ_BYTES {
            // There is more at once: a peer that never pauses must not keep the worker from its other fibers.
            fibra_scheduler::yield_now();
        }
        Ok(count > 0)
    }

    /// Whether nobody waits for this call any more.
    fn is_cancelled(&self, xid: u64) -> bool {
        !self.cancelled.is_empty() && self.cancelled.contains(&xid)
    }

    /// Whether the caller has given up on a call that came with this timeout.
    fn has_expired(&self, call: &Call) -> bool {
        self.read_at.checked_add(call.timeout).is_some_and(|deadline| deadline <= clock::now())
    }
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
                tracing::debug!(peer = %self.peer, %error, "a connection was lost");
                self.outbox.close();
            }
            End::Malformed(reason) => {
                tracing::warn!(peer = %self.peer, %reason, "closed a connection");
                let mut last_words = scratch::take();
                encode::goaway(&mut last_words, GOAWAY_MALFORMED, &reason.to_string());
                // If they cannot be said, the connection is as good as closed.
                let _ = self.outbox.append(&mut last_words);
                let _ = self.flush();
                self.outbox.close();
                let _ = self.stream().shutdown(Shutdown::Both);
            }
        }
    }

    /// `Ok` once the role has passed on, else how the connection ended.
    fn read(self: &Rc<Self>, mut reader: Reader) -> Result<(), End> {
        loop {
            match reader.decoder.next_frame()? {
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

    /// Runs or refuses a call. Gives the role back, unless the handler parked.
    fn take_call(self: &Rc<Self>, reader: Reader, call: Call) -> Result<Option<Reader>, End> {
        if reader.is_cancelled(call.xid) {
            return Ok(Some(reader));
        }
        let frame_bytes_max = self.context.limits.frame_bytes;
        let mut out = Vec::new();
        let refusal = if reader.has_expired(&call) {
            Some(Refusal::Expired)
        } else if self.in_flight.get() >= self.context.limits.in_flight {
            Some(Refusal::InFlight(self.context.limits.in_flight))
        } else {
            None
        };
        if let Some(refusal) = refusal {
            handler::refuse(&call, refusal, frame_bytes_max, &mut out);
            self.answer(out, true)?;
            return Ok(Some(reader));
        }

        self.in_flight.update(|count| count + 1);
        let mut role = Some(reader);
        park::on_first_park(&mut || role = self.pass_on(role.take()), || {
            handler::run(&self.context.registry, call, self.peer, frame_bytes_max, &mut out);
        });
        let answered = self.answer(out, role.is_some());
        // Only now: a reply that waits for room counts as in flight, so that their number is bounded.
        self.in_flight.update(|count| count - 1);
        answered?;
        Ok(role)
    }

    /// Hands the role to a new fiber of this worker. Gives it back if there is no fiber to be had; the other calls of this
    /// connection then wait for this one.
    fn pass_on(self: &Rc<Self>, role: Option<Reader>) -> Option<Reader> {
        self.role.set(role);
        let connection = Rc::clone(self);
        let spawned = fibra_scheduler::Builder::new().spawn_local(move || {
            if let Some(reader) = connection.role.take() {
                connection.read_until_end(reader);
            }
        });
        match spawned {
            Ok(fiber) => {
                self.seat.entry().add(Task::Fiber(fiber));
                None
            }
            Err(_) => self.role.take(),
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

    fn flush(&self) -> io::Result<()> {
        self.outbox.flush(self.stream())
    }

    /// Parks while the output is full: another fiber is writing, to a peer that takes its time.
    fn room(&self) -> io::Result<()> {
        // Without a deadline it ends by a cancellation only. How long a peer may take is bounded by the write timeout.
        self.outbox.wait_for_room(None).map_err(|_| fibra_scheduler::cancel::Cancelled.into())
    }

    fn stream(&self) -> &TcpStream {
        &self.seat.entry().stream
    }
}
