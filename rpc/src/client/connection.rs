//! One connection of a client: the socket, the two fibers that serve it, and its loss.
//!
//! Invariants:
//! * The first cause of a loss is the one that every caller is told.
//! * When a caller learns of the loss, no write is begun any more: what it then says about "has it left?" stays true.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use fibra_net::{Shutdown, TcpStream};
use fibra_scheduler::cancel;

use super::pending::{Outcome, Pending};
use crate::error::Disconnect;
use crate::limits::{Limits, READ_BYTES};
use crate::outbox::Outbox;
use crate::scratch;
use crate::wire::decode::Decoder;
use crate::wire::frame::Frame;
use crate::wire::header::{Kind, Malformed};

pub(super) struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    limits: Limits,
    outbox: Outbox,
    pending: Pending,
}

impl Connection {
    /// Starts the reader and the writer fiber, on the caller's worker.
    ///
    /// # Errors
    ///
    /// Outside a runtime.
    pub(super) fn start(stream: TcpStream, peer: SocketAddr, limits: Limits) -> io::Result<Arc<Self>> {
        let connection = Arc::new(Self {
            stream,
            peer,
            limits,
            outbox: Outbox::new(limits.buffered_bytes),
            pending: Pending::new(limits.in_flight),
        });
        let reader = Ending(Arc::clone(&connection));
        let writer = Ending(Arc::clone(&connection));
        // They serve the connection, not the caller, whose deadline is not theirs.
        cancel::shield(|| {
            fibra_scheduler::Builder::new().name("rpc reader").spawn_local(move || reader.0.read())?;
            fibra_scheduler::Builder::new().name("rpc writer").spawn_local(move || writer.0.write())?;
            Ok(connection)
        })
    }

    pub(super) fn peer(&self) -> SocketAddr {
        self.peer
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    pub(super) fn pending(&self) -> &Pending {
        &self.pending
    }

    /// Writes what is queued if that takes no waiting; else, or if there is more to come, it is the writer's.
    pub(super) fn write_now(&self) {
        if let Err(error) = self.outbox.flush(Hasty(&self.stream)) {
            self.lose(io_cause(error));
        }
    }

    /// Nobody will call any more: closes once what is queued is written.
    pub(super) fn finish(&self) {
        self.outbox.finish();
    }

    /// Ends the connection, and every call on it, for this reason; unless it has ended before.
    fn lose(&self, cause: Disconnect) {
        // In this order: see the module's second invariant.
        self.outbox.close();
        if self.pending.lose(&cause) {
            tracing::debug!(peer = %self.peer, %cause, "a connection ended");
        }
        // Wakes the other fiber. Fails only if the peer was faster.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    fn write(&self) {
        match self.outbox.write_for_ever(&self.stream) {
            // Finished: the reader sees it as an end of the stream.
            Ok(()) => self.lose(Disconnect::ClosedByPeer),
            Err(error) => self.lose(io_cause(error)),
        }
    }

    fn read(&self) {
        let cause = match self.read_replies() {
            Ok(cause) | Err(cause) => cause,
        };
        self.lose(cause);
    }

    /// Completes calls until the connection ends; returns how.
    fn read_replies(&self) -> Result<Disconnect, Disconnect> {
        let mut decoder = Decoder::new(self.limits.frame_bytes);
        loop {
            while let Some(frame) = decoder.next_frame().map_err(Disconnect::Malformed)? {
                if let Some(end) = self.take(frame).map_err(Disconnect::Malformed)? {
                    return Ok(end);
                }
            }
            let space = decoder.space();
            let asked = space.len();
            let count = (&self.stream).read(space).map_err(io_cause)?;
            if count == 0 {
                return Ok(Disconnect::ClosedByPeer);
            }
            decoder.filled(count);
            if count == asked && asked >= READ_BYTES {
                // There is more at once: a server that never pauses must not keep the worker from its other fibers.
                fibra_scheduler::yield_now();
            }
        }
    }

    /// Acts on one frame; the end of the connection, if that is what it says.
    fn take(&self, frame: Frame) -> Result<Option<Disconnect>, Malformed> {
        match frame {
            Frame::Reply { xid, value } => self.pending.complete(xid, Kind::Reply, || {
                let mut body = scratch::take();
                body.extend_from_slice(&value);
                Outcome::Value(body)
            })?,
            Frame::Failure { xid, code, message, details } => self.pending.complete(xid, Kind::Failure, || {
                let message = String::from_utf8_lossy(&message).into_owned();
                Outcome::Failure { code, message, details: details.to_vec() }
            })?,
            Frame::GoAway { code: _, message } => {
                let message = String::from_utf8_lossy(&message).into_owned();
                return Ok(Some(Disconnect::GoAway { message }));
            }
            Frame::Call(call) => return Err(Malformed::Unexpected { kind: Kind::Call, xid: call.xid }),
            Frame::Cancel { xid } => return Err(Malformed::Unexpected { kind: Kind::Cancel, xid }),
        }
        Ok(None)
    }
}

fn io_cause(error: io::Error) -> Disconnect {
    if cancel::is_cancelled(&error) { Disconnect::RuntimeEnded } else { Disconnect::Io(Arc::new(error)) }
}

/// The socket, for a caller: a write that would have to wait is left to the writer fiber.
struct Hasty<'a>(&'a TcpStream);

impl Write for Hasty<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Ends the connection with the fiber that holds it, also if that fiber never ran.
struct Ending(Arc<Connection>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.lose(Disconnect::RuntimeEnded);
    }
}
