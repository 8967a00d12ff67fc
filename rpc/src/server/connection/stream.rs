//! One call that streams, on its connection; and the fiber that writes what such calls send.
//!
//! It runs to park like any other: a handler that waits for an item, or for credit, hands the reading on. Should there be no fiber to take
//! that over, nobody would ever read what it waits for: then its streams end.
//!
//! A handler may send from any worker, and never waits in a write, so that neither its deadline nor its cancellation cuts a frame in two: for
//! as long as calls of the connection stream, a fiber of its worker writes what they send, all that there is at a time.
//!
//! Invariant: what a refused call's client has sent by then, as its credit allows, is awaited and dropped.

use std::io;
use std::rc::Rc;

use fibra_scheduler::cancel;
use fibra_scheduler::park::{self, Reason};

use super::super::handler::{self, Refusal};
use super::super::registry::Hint;
use super::super::store::Session;
use super::super::streams::Streams;
use super::turn::answered;
use super::{Connection, Desk, End, Role, Step};
use crate::limits::GLITCHES_PER_STREAM;
use crate::stream::Gone;
use crate::wire::frame::Call;

impl Connection {
    pub(super) fn streams(&self) -> &Streams {
        self.extras().streams.get_or_init(|| Box::new(Streams::new(&self.context().limits, &self.shared_outbox())))
    }

    /// Nothing more is read.
    pub(super) fn streams_lost(&self) {
        if let Some(streams) = self.extras.get().and_then(|extras| extras.streams.get()) {
            streams.lose(|xid| self.seat.cancel(xid));
        }
    }

    /// A cancel has come, of whichever call.
    pub(super) fn stream_cancelled(&self, xid: u64) {
        if let Some(streams) = self.extras.get().and_then(|extras| extras.streams.get()) {
            streams.cancel(xid);
        }
    }

    /// Runs or refuses a call. Leaves the role, unless the handler parked.
    #[cold] // Not in the way of the others.
    pub(super) fn take_stream(self: &Rc<Self>, role: &mut Role, desk: &mut Desk, mut call: Call) -> Result<Step, End> {
        let Some(reader) = role else { return Ok(Step::HandedOver) };
        let xid = call.xid;
        self.glitches.earn(GLITCHES_PER_STREAM);
        if reader.is_cancelled(xid) {
            // What follows is there already, the cancel at its end included.
            self.streams().refuse(&call)?;
            return Ok(Step::Done);
        }
        if let Some(ended) = reader.replies.take_ended() {
            // As behind any other call.
            self.session.finish(ended);
        }
        let deadline = reader.deadline(&call);
        let now = reader.now_exactly();
        let refusal = if !fibra_scheduler::in_fiber() {
            Some(Refusal::NoFibers)
        } else if deadline.is_some_and(|deadline| deadline <= now) {
            Some(Refusal::Expired)
        } else if self.context().stage.is_refusing() {
            Some(Refusal::Draining)
        } else if self.is_full() {
            Some(Refusal::InFlight(self.context().limits.in_flight))
        } else if let Some(max) = self.context().load.is_full() {
            Some(Refusal::Waiting(max))
        } else {
            self.start_writer().err().map(|_| Refusal::NoFiberLeft)
        };
        let Desk { request, out } = desk;
        if let Some(refusal) = refusal {
            self.streams().refuse(&call)?;
            self.refuse(xid, false, refusal, out);
            return Ok(answered(role, out, None));
        }
        let (duplex, streams) = self.streams().begin(&call)?;
        self.run_to_park(role, xid, out, |out| {
            let mut if_unread = || {
                if self.is_unread() {
                    duplex.close(Gone::Unread);
                }
            };
            park::on_first_park(&mut if_unread, || {
                let serving = self.serving(now);
                let method = serving.registry.named(&call.method, Hint::NONE);
                let _ran = cancel::with_deadline(deadline, || {
                    handler::run(serving, &mut call, method, request, deadline, Some(streams), out)
                });
            });
            // Before the answer is queued, so that no item comes behind it.
            self.streams().answered(xid);
            None
        })
    }

    /// Starts the fiber that writes what is sent on streams, unless there is one.
    fn start_writer(self: &Rc<Self>) -> io::Result<()> {
        if self.streams().carrier().has_writer() {
            return Ok(());
        }
        let writing = Writing(Rc::clone(self));
        let write = move || {
            let Writing(connection) = &writing;
            connection.write_streams();
        };
        let fiber = cancel::shield(|| fibra_scheduler::Builder::new().name("rpc stream writer").spawn_local(write))?;
        self.streams().carrier().set_writer(Some(fiber.unparker()));
        self.run_by(0, fiber);
        Ok(())
    }

    /// Writes for as long as a call streams.
    fn write_streams(self: &Rc<Self>) {
        let ended = loop {
            if let Err(error) = self.flush() {
                break Err(error);
            }
            if self.streams().is_empty() || park::wait(Reason::Call, None).is_err() {
                break Ok(());
            }
        };
        self.streams().carrier().set_writer(None);
        if let Err(error) = ended {
            self.end(End::Io(error));
        }
    }
}

/// The fiber that writes what is sent on streams. If it never runs, since there was no stack for it, the connection is closed: nobody would write what its
/// handlers send, and no other would be started.
struct Writing(Rc<Connection>);

impl Drop for Writing {
    fn drop(&mut self) {
        let carrier = self.0.streams().carrier();
        if carrier.has_writer() {
            carrier.set_writer(None);
            self.0.close();
        }
    }
}
