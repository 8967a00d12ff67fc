//! One connection of a channel: the socket, its output, and its loss.
//!
//! Invariants:
//! * The first cause of a loss is the one that counts; but a peer's last words say more than the failure to write to it that they bring
//!   about, and count whenever they are read.
//! * Once [`cause`](Connection::cause) tells it, no write is begun any more: what is then said about "has it left?" stays true.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fibra_net::{Shutdown, TcpStream};
use fibra_scheduler::{cancel, clock};
use parking_lot::Mutex;

use super::calls::{Calls, Outcome};
use super::keepalive::{Action, Keepalive, Monitor, Seen};
use super::link::{Dialler, Link};
use super::streams::Streams;
use crate::error::Disconnect;
use crate::glitches::Glitches;
use crate::limits::READ_BYTES;
use crate::outbox::{AtOnce, Outbox};
use crate::scratch;
use crate::wire::decode::Decoder;
use crate::wire::encode;
use crate::wire::failure;
use crate::wire::frame::{Frame, GOAWAY_DRAINING};
use crate::wire::header::{Kind, Malformed};

pub(super) struct Connection {
    stream: TcpStream,
    outbox: Outbox,
    /// Reads that brought something.
    heard: AtomicU64,
    /// Pings sent.
    pings: AtomicU64,
    lost: Mutex<Option<Disconnect>>,
    streams: Streams,
}

impl Connection {
    /// Starts the fiber that writes, on the caller's worker.
    ///
    /// # Errors
    ///
    /// There is no fiber to be had.
    pub(super) fn start(stream: TcpStream, keepalive: Option<Keepalive>, link: &Arc<Link>) -> io::Result<Arc<Self>> {
        let connection = Arc::new(Self {
            stream,
            outbox: Outbox::new(link.settings().limits.buffered_bytes),
            heard: AtomicU64::new(0),
            pings: AtomicU64::new(0),
            lost: Mutex::default(),
            streams: Streams::default(),
        });
        let writer = Ending(Arc::clone(&connection));
        let link = Arc::clone(link);
        fibra_scheduler::Builder::new().name("rpc writer").spawn_local(move || writer.0.write(&link, keepalive))?;
        Ok(connection)
    }

    pub(super) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// The calls on it that stream.
    pub(super) fn streams(&self) -> &Streams {
        &self.streams
    }

    /// Writes what is queued if that takes no waiting; else, or if there is more to come, it is the writer's.
    pub(super) fn write_now(&self) {
        if let Err(error) = self.outbox.flush(AtOnce(&self.stream)) {
            self.lose(io_cause(error));
        }
    }

    /// Ends the connection for this reason, unless it has ended before.
    pub(super) fn lose(&self, cause: Disconnect) {
        // In this order: see the module's second invariant.
        self.outbox.close();
        let mut lost = self.lost.lock();
        if lost.is_none() || (matches!(cause, Disconnect::GoAway { .. }) && matches!(*lost, Some(Disconnect::Io(_)))) {
            *lost = Some(cause);
        }
        drop(lost);
        self.streams.lose(self.outbox.exposed());
        // Wakes who reads and who writes. Fails only if the peer was faster.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Why it has ended, if it has.
    pub(super) fn cause(&self) -> Option<Disconnect> {
        self.lost.lock().clone()
    }

    fn write(&self, link: &Link, keepalive: Option<Keepalive>) {
        let settings = link.settings();
        let seen = || {
            let (made, waiting) = link.calls().seen();
            Seen { heard: self.heard.load(Ordering::Relaxed), made, waiting }
        };
        let mut monitor = Monitor::new(keepalive, settings.idle_timeout, clock::now(), seen());
        let mut idle = false;
        let written = self.outbox.write_for_ever(&self.stream, || {
            loop {
                let seen = seen();
                match monitor.look(clock::now(), seen) {
                    Action::Wait(next) => return next,
                    Action::Ping => self.ping(),
                    Action::Lost(silent) => {
                        self.lose(Disconnect::Silent { silent });
                        return None;
                    }
                    Action::Idle if link.calls().finish_unused(&self.outbox, seen.made) => {
                        idle = true;
                        return None;
                    }
                    // Somebody has called meanwhile, as the next look sees.
                    Action::Idle => {}
                }
            }
        });
        match written {
            Ok(()) if idle => self.lose(Disconnect::Idle),
            // Finished: the reader sees it as an end of the stream.
            Ok(()) => self.lose(Disconnect::ClosedByPeer),
            Err(error) => self.lose(io_cause(error)),
        }
    }

    fn ping(&self) {
        let echo = self.pings.fetch_add(1, Ordering::Relaxed) + 1;
        let mut frame = scratch::take();
        encode::ping(&mut frame, echo);
        // Whatever room there is: nobody would send it later. There is one until something comes.
        self.outbox.append_anyway(&mut frame);
        scratch::give(frame);
    }

    /// Acts on one frame; the end of the connection, if that is what it says.
    fn take(&self, calls: &Calls, frame: Frame, glitches: &Glitches) -> Result<Option<Disconnect>, Malformed> {
        match frame {
            Frame::Ping { echo } => {
                glitches.spend(clock::now())?;
                let mut pong = scratch::take();
                encode::pong(&mut pong, echo);
                // If there is no room for it, the peer does not read, and needs no answer.
                let _ = self.outbox.append_and_wake(&mut pong);
                scratch::give(pong);
                Ok(None)
            }
            // That it has come is what counts.
            Frame::Pong { echo } if (1..=self.pings.load(Ordering::Relaxed)).contains(&echo) => Ok(None),
            frame => self.take_answer(calls, frame),
        }
    }

    /// As [`take`](Self::take), of a frame about calls.
    fn take_answer(&self, calls: &Calls, frame: Frame) -> Result<Option<Disconnect>, Malformed> {
        let (kind, xid) = match frame {
            Frame::Reply { xid, value } => {
                let outcome = || {
                    let mut body = scratch::take();
                    body.extend_from_slice(&value);
                    Outcome::Value(body)
                };
                if !self.streams.answered(xid, Kind::Reply, outcome)? {
                    calls.complete(xid, Kind::Reply, outcome)?;
                }
                return Ok(None);
            }
            Frame::Failure { xid, code, message, details } => {
                let outcome = || {
                    let message = failure::message(&message);
                    Outcome::Failure { code, message, details: details.to_vec(), frame: Vec::new(), repeated: false }
                };
                if !self.streams.answered(xid, Kind::Failure, outcome)? {
                    calls.complete(xid, Kind::Failure, outcome)?;
                }
                return Ok(None);
            }
            Frame::GoAway { code, message } => {
                let message = failure::message(&message);
                return Ok(Some(Disconnect::GoAway { code, message }));
            }
            frame @ (Frame::Item { .. } | Frame::End { .. } | Frame::Credit { .. }) => {
                if let Some((kind, xid)) = self.streams.take(frame)? {
                    calls.expect_late(xid, kind)?;
                }
                return Ok(None);
            }
            Frame::Call(call) => (Kind::Call, call.xid),
            Frame::Cancel { xid } => (Kind::Cancel, xid),
            Frame::Open(_) => (Kind::Open, 0),
            Frame::Opened(_) => (Kind::Opened, 0),
            Frame::Ping { .. } => (Kind::Ping, 0),
            Frame::Pong { .. } => (Kind::Pong, 0),
            Frame::Acknowledge { first_incomplete, .. } => (Kind::Acknowledge, first_incomplete),
        };
        Err(Malformed::Unexpected { kind, xid })
    }

    /// Completes calls until the connection ends.
    pub(super) fn read(&self, link: &Link, dialler: &mut Dialler) {
        let (Ok(cause) | Err(cause)) = self.read_replies(link, dialler);
        self.lose(cause);
    }

    /// Returns how the connection ended.
    fn read_replies(&self, link: &Link, dialler: &mut Dialler) -> Result<Disconnect, Disconnect> {
        let calls = link.calls();
        let mut decoder = Decoder::new(link.settings().limits.frame_bytes);
        let mut answered = false;
        let glitches = Glitches::new(0, clock::now());
        loop {
            while let Some(frame) = decoder.next_frame().map_err(Disconnect::Malformed)? {
                if let Frame::GoAway { code: GOAWAY_DRAINING, message } = &frame {
                    tracing::debug!(peer = %link.peer(), message = failure::message(message), "a server is going down");
                    link.retire(dialler, answered);
                    continue;
                }
                if !answered && matches!(frame, Frame::Reply { .. } | Frame::Failure { .. }) {
                    answered = true;
                    dialler.succeeded();
                }
                if let Some(end) = self.take(calls, frame, &glitches).map_err(Disconnect::Malformed)? {
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
            // Nobody else writes it.
            self.heard.store(self.heard.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            if count == asked && asked >= READ_BYTES {
                // There is more at once: a server that never pauses must not keep the worker from its other fibers.
                fibra_scheduler::yield_now();
            }
        }
    }
}

fn io_cause(error: io::Error) -> Disconnect {
    if cancel::is_cancelled(&error) { Disconnect::RuntimeEnded } else { Disconnect::Io(Arc::new(error)) }
}

/// Ends the connection with the fiber that holds it, also if that fiber never ran.
struct Ending(Arc<Connection>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.lose(Disconnect::RuntimeEnded);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use fibra_net::TcpListener;

    use super::super::streams::Stream;
    use super::*;
    use crate::metadata::Metadata;
    use crate::stream::Duplex;

    fn connected(calls: &Calls) -> Arc<Connection> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let stream = TcpStream::connect(listener.local_addr().expect("it is bound")).expect("it listens");
        let connection = Arc::new(Connection {
            stream,
            outbox: Outbox::new(1024),
            heard: AtomicU64::new(0),
            pings: AtomicU64::new(0),
            lost: Mutex::default(),
            streams: Streams::default(),
        });
        calls.connected(&connection, true, 8);
        connection
    }

    fn frame() -> Vec<u8> {
        let mut frame = Vec::new();
        let call = encode::call_with(&mut frame, "tap.sum", 0, None, &Metadata::new(), None, 1024);
        call.finish().expect("it is short");
        frame
    }

    /// Between the look that finds a connection unused and its end, on another worker.
    #[test]
    fn a_stream_that_opens_as_its_connection_is_found_unused_keeps_it() {
        let calls = Calls::new(8, false);
        let connection = connected(&calls);
        let (made, waits) = calls.seen();
        assert!(!waits);
        let stream = |xid| Stream::new(Duplex::new(xid, 1024, true, None, None));
        let (opened, _) = calls.open(&mut frame(), None, stream).unwrap_or_else(|_| panic!("it is connected"));
        assert!(!calls.finish_unused(&connection.outbox, made), "a call waits");
        calls.closed(&connection, &opened);
        assert!(!calls.finish_unused(&connection.outbox, made), "one was made");
        assert!(connection.outbox.append_and_wake(&mut vec![0]).is_ok());

        assert!(calls.finish_unused(&connection.outbox, calls.seen().0));
        assert!(
            connection.outbox.append_and_wake(&mut vec![0]).is_err(),
            "what comes now waits for the next connection"
        );
    }
}
