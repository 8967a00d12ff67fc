//! A connection that speaks another protocol than the native one: recognised by its first bytes, and served by a fiber of its own.
//!
//! ```text
//!   opening ─ not 0xC1 ─▶ recognise ─▶ its fiber: read ─▶ message ─▶ a fiber for each ─▶ call ─▶ answer written
//!                                          └──────────── reads on ─────────┘
//! ```
//!
//! So it holds a stack for as long as it is open, unlike a native one, and each of its messages costs a spawn: code that waits where it has to wait, in place
//! of turns. From there on a call goes the way of every other: deduplication, limits, middleware, handler.
//!
//! | file | holds |
//! |---|---|
//! | this one | [`Foreign`]: the connection, and its life |
//! | [`input`] | what has been read and not yet been acted on |
//! | [`call`] | one call, through what all calls go through |
//! | `keyed` | one that runs at most once |
//! | `output` | what is sent |
//! | [`guests`] | such connections, for who drains |
//! | `msgpack_rpc`, `json_rpc`, `http` | the messages of these dialects, and what is answered |
//!
//! Invariants:
//! * What a client sends ends its own connection at most.
//! * Whatever has been read as a whole is answered before the connection is closed, unless its client does not take answers.
//! * With as many calls under way as there may be, and all of them waiting, who reads answers itself, by a refusal: there are never more fibers than
//!   that, and one.

mod call;
pub(super) mod guests;
mod http;
mod input;
mod json_rpc;
mod keyed;
mod msgpack_rpc;
mod output;

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use fibra_scheduler::park::{self, Reason, Unparker};
use fibra_scheduler::{cancel, clock, in_fiber, yield_now};

use super::accept::Context;
use super::admission::Admission;
use super::farewell;
use super::roster::{Seat, Task};
use crate::dialect::{Dialect, Recognised, recognise};
use crate::limits::PREFACE_TIMEOUT;
use crate::metrics::{Metrics, Shard};
use crate::outbox::Outbox;
use input::{Input, Lost};

/// See the [module](self).
pub(super) struct Foreign {
    context: Arc<Context>,
    peer: SocketAddr,
    outbox: Outbox,
    /// This thread's counts, if the server counts.
    shard: Option<Arc<Shard>>,
    /// Messages, and calls of batches, that are being acted on.
    under_way: Cell<usize>,
    /// Messages whose fiber has not had a turn.
    unbegun: Cell<usize>,
    /// Calls of batches whose fiber has not had one.
    unbegun_in_batches: Cell<usize>,
    /// Who waits for there to be none.
    waiter: Cell<Option<Unparker>>,
    last_xid: Cell<u64>,
    admission: RefCell<Admission>,
    /// When a call of it last began in time.
    in_time_at: Cell<Instant>,
    /// Last, so that it leaves the roster when all else is gone.
    seat: Seat,
}

/// How the reading ended.
enum End {
    /// The client has no more to say.
    Eof,
    Io(io::Error),
    /// The client knows that it was the last answer.
    Over,
    /// Its client has broken the protocol, and there is no way to tell.
    Malformed(String),
    /// As before, and it is told so by the last of all answers.
    Told {
        answer: Vec<u8>,
        reason: String,
    },
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Lost> for End {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Io(error) => Self::Io(error),
            Lost::Slow | Lost::Full => Self::Malformed(lost.to_string()),
        }
    }
}

/// When a message was read, and whether there is a fiber for it.
#[derive(Clone, Copy, Debug)]
struct Turn {
    read_at: Instant,
    room: Room,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Some,
    /// As many messages are under way as may be.
    InFlight,
    /// There is no fiber to be had.
    NoFiber,
}

/// Serves a connection that has begun with these bytes.
pub(super) fn serve(seat: Seat, peer: SocketAddr, first: Vec<u8>) {
    let context = Arc::clone(seat.context());
    let outbox = Outbox::counted(context.limits.buffered_bytes, Arc::clone(&context.load.buffered));
    let shard = context.metrics.as_ref().map(Metrics::shard);
    let now = clock::now();
    let guest = context.guests.enter(seat.stream());
    let mut input = Input::new(&context, first, now);
    let connection = Rc::new(Foreign {
        outbox,
        shard,
        under_way: Cell::new(0),
        unbegun: Cell::new(0),
        unbegun_in_batches: Cell::new(0),
        waiter: Cell::new(None),
        last_xid: Cell::new(0),
        admission: RefCell::new(Admission::new(context.queue_delay_max)),
        in_time_at: Cell::new(now),
        context,
        peer,
        seat,
    });
    let end = connection.speak(&mut input);
    // What was not read on is of no use, while calls may take long, or last words to arrive.
    drop(input);
    connection.wait_for_answers();
    connection.end(end);
    drop(guest);
}

impl Foreign {
    fn speak(self: &Rc<Self>, input: &mut Input) -> Result<(), End> {
        let opens_until = clock::now() + PREFACE_TIMEOUT;
        let dialect = loop {
            match recognise(input.bytes()) {
                Recognised::As(dialect) if self.context.dialects.has(dialect) => break dialect,
                Recognised::As(Dialect::JsonRpc) if self.context.dialects.has(Dialect::GoJsonRpc) => {
                    break Dialect::GoJsonRpc;
                }
                Recognised::As(dialect) => {
                    return Err(End::Malformed(format!("this port does not speak {}", dialect.name())));
                }
                Recognised::Nothing => {
                    return Err(End::Malformed("neither a fibra preface nor a dialect of this port".to_owned()));
                }
                Recognised::NotYet => {
                    if !self.read(input, Some(opens_until))? {
                        return Err(End::Eof);
                    }
                }
            }
        };
        tracing::debug!(peer = %self.peer, dialect = dialect.name(), "a connection speaks another protocol");
        match dialect {
            Dialect::MessagePackRpc => self.speak_msgpack_rpc(input),
            Dialect::JsonRpc | Dialect::GoJsonRpc => self.speak_json_rpc(input),
            Dialect::ContentLength => self.speak_content_length(input),
            Dialect::Http => self.speak_http(input),
        }
    }

    /// As [`Input::read`], behind what has been answered.
    fn read(&self, input: &mut Input, deadline: Option<Instant>) -> Result<bool, Lost> {
        self.flush_if_last();
        input.read(self.seat.stream(), deadline)
    }

    /// Has `act` act on a message, on a fiber of its own if there may be one; on a plain thread here and now.
    fn begin(self: &Rc<Self>, message: Vec<u8>, read_at: Instant, act: fn(&Rc<Self>, &[u8], Turn)) {
        let act = move |connection: &Rc<Self>, message: &[u8], room| {
            connection.acting(|| act(connection, message, Turn { read_at, room }));
            connection.flush_if_last();
        };
        if self.is_full() {
            return act(self, &message, Room::InFlight);
        }
        let under_way = UnderWay::begin(self);
        if !in_fiber() {
            return act(self, &message, Room::Some);
        }
        // Left to who spawns if there is no fiber.
        let message = Rc::new(Message { bytes: Cell::new(message), is_with_fiber: Cell::new(false) });
        let unbegun = Unbegun::of(self, &message);
        let run = move || {
            let message = unbegun.begin();
            act(&under_way.0, &message, Room::Some);
        };
        match fibra_scheduler::Builder::new().spawn_local(run) {
            Ok(fiber) => {
                message.is_with_fiber.set(true);
                self.seat.add(0, Task::Fiber(fiber));
            }
            Err(_) => act(self, &message.bytes.take(), Room::NoFiber),
        }
    }

    /// Whether as many messages are under way as may be, and all of them wait for something: those whose turn has not come only wait for who reads.
    fn is_full(&self) -> bool {
        while self.under_way.get() >= self.context.limits.in_flight {
            let unbegun = self.unbegun.get() + self.unbegun_in_batches.get();
            if unbegun == 0 || cancel::check().is_err() {
                return true;
            }
            yield_now();
        }
        false
    }

    /// Waits until all that was read has been acted on and answered, or the caller is cancelled.
    fn wait_for_answers(&self) {
        self.flush();
        while self.under_way.get() > 0 {
            self.waiter.set(Some(park::current()));
            if park::wait(Reason::Call, None).is_err() {
                return;
            }
        }
        self.flush();
    }

    fn end(&self, end: Result<(), End>) {
        match end {
            Ok(()) | Err(End::Eof) => tracing::debug!(peer = %self.peer, "the peer closed the connection"),
            Err(End::Io(error)) => tracing::debug!(peer = %self.peer, %error, "a connection was lost"),
            // What it has sent behind that is not to cost it the answer.
            Err(End::Over) => farewell::wait(self.seat.stream()),
            Err(End::Malformed(reason)) => self.end_for(&reason),
            Err(End::Told { answer, reason }) => {
                self.send(answer);
                self.end_for(&reason);
            }
        }
        self.close();
    }

    fn end_for(&self, reason: &str) {
        tracing::warn!(peer = %self.peer, reason, "closed a connection");
        // Else what was said last might be lost with the rest of what it sends.
        farewell::wait(self.seat.stream());
    }

    fn close(&self) {
        self.outbox.close();
        // Fails only if the peer was faster.
        let _ = self.seat.stream().shutdown(fibra_net::Shutdown::Both);
    }
}

/// A message that is being acted on, until this is dropped.
struct UnderWay(Rc<Foreign>);

impl UnderWay {
    fn begin(connection: &Rc<Foreign>) -> Self {
        connection.under_way.update(|count| count + 1);
        Self(Rc::clone(connection))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.update(|count| count - 1);
        if self.0.under_way.get() == 0
            && let Some(waiter) = self.0.waiter.take()
        {
            waiter.unpark();
        }
    }
}

/// A call of a batch whose fiber has not had a turn, until this is dropped.
struct WaitsForTurn(Rc<Foreign>);

impl WaitsForTurn {
    fn begin(connection: &Rc<Foreign>) -> Self {
        connection.unbegun_in_batches.update(|count| count + 1);
        Self(Rc::clone(connection))
    }
}

impl Drop for WaitsForTurn {
    fn drop(&mut self) {
        self.0.unbegun_in_batches.update(|count| count - 1);
    }
}

/// A message for which there is a fiber, perhaps.
struct Message {
    bytes: Cell<Vec<u8>>,
    is_with_fiber: Cell<bool>,
}

/// A message whose fiber has not had a turn, until this is dropped. If it never gets one, for want of a stack, the connection is closed: what would
/// have been written behind it nobody writes.
struct Unbegun {
    connection: Rc<Foreign>,
    message: Rc<Message>,
}

impl Unbegun {
    fn of(connection: &Rc<Foreign>, message: &Rc<Message>) -> Self {
        connection.unbegun.update(|count| count + 1);
        Self { connection: Rc::clone(connection), message: Rc::clone(message) }
    }

    fn begin(self) -> Vec<u8> {
        self.message.is_with_fiber.set(false);
        self.message.bytes.take()
    }
}

impl Drop for Unbegun {
    fn drop(&mut self) {
        self.connection.unbegun.update(|count| count - 1);
        if self.message.is_with_fiber.get() {
            self.connection.close();
        }
    }
}
