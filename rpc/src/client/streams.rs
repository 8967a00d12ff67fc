//! The calls that stream on one connection, by xid, until their caller has done with them.
//!
//! Invariants:
//! * An entry is added before its call is sent, and removed by its caller, or with the connection. What comes without one is late.
//! * A lost connection ends them all, also one that is being added.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::mem;
use std::sync::Arc;

use fibra_scheduler::park::{self, Unparker};
use parking_lot::Mutex;

use super::calls::{OUTSIDE, Outcome, XidHasher};
use crate::error::Executed;
use crate::outbox::Queued;
use crate::session::Xid;
use crate::stream::{Duplex, Gone};
use crate::wire::failure::Code;
use crate::wire::frame::{Ending, Frame};
use crate::wire::header::{Kind, Malformed};

#[derive(Default)]
pub(super) struct Streams {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    streams: HashMap<Xid, Arc<Stream>, BuildHasherDefault<XidHasher>>,
    is_lost: bool,
}

/// A call that streams.
pub(super) struct Stream {
    duplex: Arc<Duplex>,
    end: Mutex<End>,
}

#[derive(Default)]
struct End {
    /// Where in the stream of bytes its call ends, once that is queued.
    sent: Option<u64>,
    outcome: Option<Outcome>,
    /// The connection has been lost; how much of it the operating system had.
    exposed: Option<u64>,
    /// Its caller has.
    is_given_up: bool,
    /// Who waits for its end besides its caller.
    watcher: Option<Unparker>,
}

/// What has become of a call, for who only waits for its end.
pub(super) enum Watched {
    UnderWay,
    Answered(Outcome),
    Lost,
    GivenUp,
}

impl Stream {
    pub(super) fn new(duplex: Duplex) -> Self {
        Self { duplex: Arc::new(duplex), end: Mutex::default() }
    }

    pub(super) fn duplex(&self) -> &Arc<Duplex> {
        &self.duplex
    }

    /// Its call has been queued.
    pub(super) fn sent(&self, queued: Queued) {
        self.end.lock().sent = Some(queued.end);
    }

    /// The server has answered. There is nothing more to come.
    pub(super) fn answer(&self, outcome: Outcome) {
        let mut end = self.end.lock();
        end.outcome.get_or_insert(outcome);
        let watcher = end.watcher.take();
        drop(end);
        self.duplex.close(Gone::Ended);
        wake(watcher);
    }

    /// Its caller takes no more of it.
    pub(super) fn give_up(&self) {
        let mut end = self.end.lock();
        end.is_given_up = true;
        let watcher = end.watcher.take();
        drop(end);
        wake(watcher);
    }

    /// What has become of it. From now on its end wakes the caller.
    pub(super) fn watch(&self) -> Watched {
        let mut end = self.end.lock();
        if let Some(outcome) = &end.outcome {
            Watched::Answered(outcome.clone())
        } else if end.exposed.is_some() {
            Watched::Lost
        } else if end.is_given_up {
            Watched::GivenUp
        } else {
            end.watcher = Some(park::current());
            Watched::UnderWay
        }
    }

    pub(super) fn is_answered(&self) -> bool {
        self.end.lock().outcome.is_some()
    }

    /// What the server has answered, if it has.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        self.end.lock().outcome.clone()
    }

    /// Whether the server has answered that it is at a limit; `None` if it has not answered.
    pub(super) fn is_refused(&self) -> Option<bool> {
        let is_refusal = |outcome: &Outcome| match outcome {
            Outcome::Failure { code, .. } => Code::from_wire(*code) == Some(Code::Overloaded),
            Outcome::Value(_) => false,
        };
        self.end.lock().outcome.as_ref().map(is_refusal)
    }

    /// Whether the handler has run, as far as is known without an answer.
    pub(super) fn executed(&self) -> Executed {
        let end = self.end.lock();
        match (end.sent, end.exposed) {
            _ if self.duplex.heard() => Executed::Yes,
            (Some(sent), Some(exposed)) if sent > exposed => Executed::No,
            _ => Executed::Maybe,
        }
    }

    /// There is nobody any more who would answer.
    pub(super) fn lose(&self, exposed: u64) {
        let mut end = self.end.lock();
        end.exposed.get_or_insert(exposed);
        let watcher = end.watcher.take();
        drop(end);
        self.duplex.close(Gone::Lost);
        wake(watcher);
    }
}

impl Streams {
    pub(super) fn add(&self, stream: &Arc<Stream>) {
        let mut state = self.state.lock();
        if state.is_lost {
            // Its call will not be sent.
            stream.lose(0);
        }
        state.streams.insert(stream.duplex.xid(), Arc::clone(stream));
    }

    /// Whether it was still there.
    pub(super) fn remove(&self, stream: &Stream) -> bool {
        self.state.lock().streams.remove(&stream.duplex.xid()).is_some()
    }

    /// Removes them all, of a connection that is lost. Returns how many there were.
    pub(super) fn remove_all(&self) -> usize {
        let streams = mem::take(&mut self.state.lock().streams);
        streams.len()
    }

    /// The connection is lost, and nothing more is written to it.
    pub(super) fn lose(&self, exposed: u64) {
        let mut state = self.state.lock();
        state.is_lost = true;
        for stream in state.streams.values() {
            stream.lose(exposed);
        }
    }

    /// The server has answered, by a frame of that kind. False if that call does not stream, or nobody waits for it.
    ///
    /// # Errors
    ///
    /// [`Malformed::Unexpected`]: it has answered before.
    pub(super) fn answered(&self, xid: Xid, kind: Kind, outcome: impl FnOnce() -> Outcome) -> Result<bool, Malformed> {
        if xid < OUTSIDE {
            return Ok(false);
        }
        let state = self.state.lock();
        let Some(stream) = state.streams.get(&xid) else { return Ok(false) };
        if stream.is_answered() {
            return Err(Malformed::Unexpected { kind, xid });
        }
        stream.answer(outcome());
        Ok(true)
    }

    /// An item, an end or a credit has come. If there is no such call, gives back what came for which.
    pub(super) fn take(&self, frame: Frame) -> Result<Option<(Kind, Xid)>, Malformed> {
        let (kind, xid) = match &frame {
            Frame::End { xid, .. } => (Kind::End, *xid),
            Frame::Credit { xid, .. } => (Kind::Credit, *xid),
            Frame::Item { xid, .. } => (Kind::Item, *xid),
            _ => return Ok(None),
        };
        let state = self.state.lock();
        let Some(stream) = state.streams.get(&xid) else { return Ok(Some((kind, xid))) };
        let taken = match frame {
            // Its streams ended with its answer: the server takes no more of the client's then, and has said so.
            _ if stream.is_answered() => return Err(Malformed::Unexpected { kind, xid }),
            Frame::Item { more, piece, .. } => stream.duplex.received(&piece, more),
            Frame::Credit { bytes, .. } => stream.duplex.granted(bytes),
            Frame::End { how: Ending::Stop, .. } => stream.duplex.peer_stopped(),
            // A server's stream ends with its answer.
            _ => return Err(Malformed::Unexpected { kind, xid }),
        };
        taken.map(|()| None).map_err(|violation| Malformed::Stream { xid, violation })
    }
}

fn wake(watcher: Option<Unparker>) {
    if let Some(watcher) = watcher {
        watcher.unpark();
    }
}
