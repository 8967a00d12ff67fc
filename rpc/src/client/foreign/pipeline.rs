//! One connection, many callers: each has a number, and answers come in any order.
//!
//! ```text
//!   caller ─ enters its call ─▶ calls        frame ─▶ queue ─▶ writer fiber: has it been given up? ─▶ socket
//!      parks ◀────────────────── calls ◀── reader fiber ◀── socket
//! ```
//!
//! Invariants:
//! * A call is entered before its frame is queued, and is in the table until it has an answer, is given up, or the connection is lost.
//! * A call that is given up before the writer has come to it is not sent: its [`Executed::No`] is exact. From then on it is
//!   [`Executed::Maybe`].
//! * At most [`Limits::in_flight`] calls are entered; further callers wait for one to end.
//! * When the last holder is gone, what is queued is still written; then the connection closes, and both fibers end.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::Duration;

use fibra_net::TcpStream;
use fibra_scheduler::cancel::{self, Interrupted};
use fibra_scheduler::sync::Semaphore;
use fibra_scheduler::sync::channel::{self, Receiver, RecvError, SendError, Sender, oneshot};
use parking_lot::Mutex;

use super::super::target::Target;
use super::Protocol;
use super::http::dial;
use super::input::Input;
use super::message::{Answer, Call, Ended, Incoming};
use crate::error::{ConnectError, Disconnect, Executed};
use crate::limits::{FLUSH_BYTES, Limits, WRITE_STALL_MAX};

/// Frames that wait for the writer.
const QUEUE: usize = 64;

/// See the [module](self).
pub(super) struct Pipeline {
    protocol: Protocol,
    peer: SocketAddr,
    calls: Arc<Calls>,
    /// One for each call that may be under way.
    room: Semaphore,
    frames: Sender<Frame>,
}

/// What is to be written.
struct Frame {
    /// Of a call that waits for an answer.
    id: Option<u32>,
    bytes: Vec<u8>,
}

/// The calls that wait.
#[derive(Default)]
struct Calls(Mutex<Table>);

#[derive(Default)]
struct Table {
    /// The number of the last call. The first is 1: some servers take 0 for none.
    last: u32,
    waiting: HashMap<u32, Waiting>,
    /// Why there will be no answers.
    lost: Option<Disconnect>,
}

struct Waiting {
    answer: oneshot::Sender<Result<Answer, Ended>>,
    /// Whether the writer has come to it.
    has_left: bool,
}

impl Waiting {
    fn executed(&self) -> Executed {
        if self.has_left { Executed::Maybe } else { Executed::No }
    }
}

impl Pipeline {
    /// Connects, and starts the fibers that write and read.
    pub(super) fn connect(
        protocol: Protocol,
        target: &Target,
        timeout: Duration,
        limits: &Limits,
    ) -> Result<Arc<Self>, ConnectError> {
        let (stream, peer) = dial(target, timeout)?;
        let failed = |source| ConnectError::Io { peer, source };
        let reading = stream.try_clone().map_err(failed)?;
        let closing = stream.try_clone().map_err(failed)?;
        // Callers have deadlines of their own; the writer is not to outlive them for ever.
        stream.set_write_timeout(Some(WRITE_STALL_MAX)).map_err(failed)?;
        let (frames, queue) = channel::bounded(QUEUE);
        let calls = Arc::new(Calls::default());
        let pipeline = Arc::new(Self {
            protocol,
            peer,
            calls: Arc::clone(&calls),
            room: Semaphore::new(limits.in_flight),
            frames,
        });
        let bytes_max = limits.frame_bytes;
        let (for_reader, weak) = (Arc::clone(&calls), Arc::downgrade(&pipeline));
        let write = move || write(&stream, &queue, &calls);
        let read = move || {
            read(Input::new(protocol, reading, bytes_max), &for_reader, &weak);
            // Of a server that cannot be understood nothing more is wanted. The socket may be gone.
            let _ = closing.shutdown(Shutdown::Both);
        };
        // They serve the connection, not the caller, whose deadline is not theirs.
        cancel::shield(|| {
            fibra_scheduler::Builder::new().name("foreign writer").spawn(write)?;
            fibra_scheduler::Builder::new().name("foreign reader").spawn(read)
        })
        .map_err(ConnectError::Spawn)?;
        Ok(pipeline)
    }

    pub(super) fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(super) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Sends a call and waits for its answer, until an ambient deadline or a cancellation cuts that.
    pub(super) fn call(&self, call: &Call<'_>) -> Result<Answer, Ended> {
        let not_sent = |interrupted| Ended::Interrupted(interrupted, Executed::No);
        let _room = self.room.acquire().map_err(not_sent)?;
        let (answer, answers) = oneshot::oneshot();
        let id = self.calls.enter(answer)?;
        let queued = self.frames.send(Frame { id: Some(id), bytes: call.message(Some(id)) });
        let interrupted = match queued {
            Ok(()) => match answers.recv() {
                Ok(answer) => return answer,
                Err(RecvError::Interrupted(interrupted)) => interrupted,
                Err(_) => Interrupted::Cancelled,
            },
            Err(SendError::Interrupted(_, interrupted)) => interrupted,
            // The writer has ended, and whoever ended it says why.
            Err(_) => match answers.recv() {
                Ok(answer) => return answer,
                Err(_) => Interrupted::Cancelled,
            },
        };
        match self.calls.leave(id) {
            Some(executed) => Err(Ended::Interrupted(interrupted, executed)),
            // It came at this moment.
            None => answers.try_recv().unwrap_or(Err(Ended::Interrupted(interrupted, Executed::Maybe))),
        }
    }

    /// Sends a call that has no answer.
    pub(super) fn notify(&self, call: &Call<'_>) -> Result<(), Ended> {
        if let Some(cause) = self.calls.lost() {
            return Err(Ended::Lost(cause, Executed::No));
        }
        self.frames.send(Frame { id: None, bytes: call.message(None) }).map_err(|error| match error {
            SendError::Interrupted(_, interrupted) => Ended::Interrupted(interrupted, Executed::No),
            _ => Ended::Lost(self.calls.lost().unwrap_or(Disconnect::RuntimeEnded), Executed::No),
        })
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").field("protocol", &self.protocol).field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl Calls {
    fn enter(&self, answer: oneshot::Sender<Result<Answer, Ended>>) -> Result<u32, Ended> {
        let mut table = self.0.lock();
        if let Some(cause) = &table.lost {
            return Err(Ended::Lost(cause.clone(), Executed::No));
        }
        // After four thousand million calls, one of the first may still wait.
        let id = loop {
            let id = table.last.wrapping_add(1);
            table.last = id;
            if !table.waiting.contains_key(&id) {
                break id;
            }
        };
        table.waiting.insert(id, Waiting { answer, has_left: false });
        Ok(id)
    }

    /// Gives a call up. `None`: it has an answer.
    fn leave(&self, id: u32) -> Option<Executed> {
        self.0.lock().waiting.remove(&id).map(|waiting| waiting.executed())
    }

    /// The writer has come to it. Whether it is still to be sent.
    fn leaves(&self, id: u32) -> bool {
        self.0.lock().waiting.get_mut(&id).map(|waiting| waiting.has_left = true).is_some()
    }

    fn answered(&self, id: u32, answer: Answer) {
        let waiting = self.0.lock().waiting.remove(&id);
        if let Some(waiting) = waiting {
            // Who has given up does not want it.
            let _ = waiting.answer.send(Ok(answer));
        }
    }

    fn lost(&self) -> Option<Disconnect> {
        self.0.lock().lost.clone()
    }

    /// The connection is lost, unless it was before. All who wait are told.
    fn lose(&self, cause: &Disconnect) {
        let mut table = self.0.lock();
        let cause = table.lost.get_or_insert_with(|| cause.clone()).clone();
        let waiting = std::mem::take(&mut table.waiting);
        drop(table);
        for waiting in waiting.into_values() {
            let ended = Ended::Lost(cause.clone(), waiting.executed());
            let _ = waiting.answer.send(Err(ended));
        }
    }
}

/// However a fiber of the connection ends, nobody waits for it.
struct LoseOnDrop<'a>(&'a Calls, Disconnect);

impl Drop for LoseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.lose(&self.1);
    }
}

/// The writer fiber: all that is queued, by the batch.
fn write(stream: &TcpStream, queue: &Receiver<Frame>, calls: &Calls) {
    let mut end = LoseOnDrop(calls, Disconnect::RuntimeEnded);
    let mut batch = Vec::new();
    while let Ok(frame) = queue.recv() {
        let mut next = Some(frame);
        while let Some(Frame { id, bytes }) = next {
            if id.is_none_or(|id| calls.leaves(id)) {
                batch.extend_from_slice(&bytes);
            }
            next = if batch.len() < FLUSH_BYTES { queue.try_recv().ok() } else { None };
        }
        if let Err(error) = (&*stream).write_all(&batch) {
            end.1 = lost(error);
            break;
        }
        batch.clear();
    }
    // The reader is to end, too. The socket may be gone.
    let _ = stream.shutdown(Shutdown::Both);
}

/// The reader fiber.
fn read(mut input: Input<TcpStream>, calls: &Calls, pipeline: &Weak<Pipeline>) {
    let mut end = LoseOnDrop(calls, Disconnect::ClosedByPeer);
    loop {
        match input.next() {
            Ok(Some(Incoming::Answer(id, answer))) => calls.answered(id, answer),
            Ok(Some(Incoming::Request(refusal))) => {
                // A server that asks faster than it reads is not answered: who reads waits for nobody.
                if let Some(pipeline) = pipeline.upgrade() {
                    let _ = pipeline.frames.try_send(Frame { id: None, bytes: refusal });
                }
            }
            Ok(Some(Incoming::Other)) => {}
            Ok(None) => return,
            Err(error) => {
                end.1 = lost(error);
                return;
            }
        }
    }
}

fn lost(error: io::Error) -> Disconnect {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Disconnect::ClosedByPeer,
        _ if cancel::is_cancelled(&error) => Disconnect::RuntimeEnded,
        _ => Disconnect::Io(Arc::new(error)),
    }
}
