//! The streams of a connection, by xid, and the rules for what comes for them.
//!
//! A call with a stream of the client's stays known until the client has ended that, by an *end* or a *cancel*, and the handler has
//! returned, whichever is later. So what a client may send is known exactly, also behind an answer that it has not seen.
//!
//! Invariants:
//! * A frame for a stream that there is none of is malformed, unless it may have crossed the answer: a credit or a cancel.
//! * At most [`STREAM_REMNANTS_MAX`] calls are known that have been answered and not ended, and those that ran when there were as many.
//! * Windows beyond [`STREAM_CREDIT_INITIAL`] each are at most [`Limits::stream_bytes`] together.

mod carrier;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::limits::{Limits, STREAM_CREDIT_INITIAL, STREAM_REMNANTS_MAX};
use crate::outbox::Outbox;
use crate::service::{self, CallStreams};
use crate::stream::inbound::{self, Inbound};
use crate::stream::outbound::Outbound;
use crate::stream::{Duplex, Gone, Violation};
use crate::wire::frame::{Call, Ending};
use crate::wire::header::{Kind, Malformed};
use carrier::ServerCarrier;

pub(super) struct Streams {
    state: RefCell<State>,
    limits: Limits,
    carrier: Arc<ServerCarrier>,
}

#[derive(Default)]
struct State {
    calls: HashMap<u64, Entry>,
    remnants: usize,
    /// What windows have of [`Limits::stream_bytes`].
    taken: usize,
}

enum Entry {
    /// The handler runs.
    Live(Live),
    /// It does not, and the client may still send.
    Remnant(Inbound),
}

struct Live {
    duplex: Arc<Duplex>,
    /// What its window has of the connection's share.
    share: usize,
}

impl Streams {
    pub(super) fn new(limits: &Limits, outbox: &Arc<Outbox>) -> Self {
        let carrier = Arc::new(ServerCarrier::new(Arc::clone(outbox)));
        Self { state: RefCell::default(), limits: *limits, carrier }
    }

    pub(super) fn carrier(&self) -> &ServerCarrier {
        &self.carrier
    }

    /// Whether no handler runs that could send something.
    pub(super) fn is_empty(&self) -> bool {
        let state = self.state.borrow();
        state.calls.len() == state.remnants
    }

    /// A call begins.
    pub(super) fn begin(&self, call: &Call) -> Result<(Arc<Duplex>, CallStreams), Malformed> {
        let mut state = self.state.borrow_mut();
        check_room(&state, call)?;
        let initial = size(STREAM_CREDIT_INITIAL);
        let mut share = 0;
        let inbound = call.client_stream.then(|| {
            share = (self.limits.stream_window - initial).min(self.limits.stream_bytes.saturating_sub(state.taken));
            Inbound::new(initial, self.limits.frame_bytes)
        });
        let violation = |violation| Malformed::Stream { xid: call.xid, violation };
        let outbound = call.server_stream.map(Outbound::given).transpose().map_err(violation)?;
        state.taken += share;
        let duplex = Arc::new(Duplex::new(call.xid, self.limits.frame_bytes, false, inbound, outbound));
        let live = Live { duplex: Arc::clone(&duplex), share };
        state.calls.insert(call.xid, Entry::Live(live));
        let streams = service::Streams::of(call.client_stream, call.server_stream.is_some());
        let streams = CallStreams::new(Arc::clone(&duplex), self.carrier.clone(), initial + share, streams);
        Ok((duplex, streams))
    }

    /// A call is refused.
    pub(super) fn refuse(&self, call: &Call) -> Result<(), Malformed> {
        let mut state = self.state.borrow_mut();
        check_room(&state, call)?;
        if !call.client_stream {
            return Ok(());
        }
        let mut inbound = Inbound::new(size(STREAM_CREDIT_INITIAL), self.limits.frame_bytes);
        inbound.discard();
        state.remnants += 1;
        state.calls.insert(call.xid, Entry::Remnant(inbound));
        Ok(())
    }

    /// The handler has returned: nothing more is sent, and what comes is dropped.
    pub(super) fn answered(&self, xid: u64) {
        let mut state = self.state.borrow_mut();
        let Some(Entry::Live(live)) = state.calls.remove(&xid) else { return };
        live.duplex.close(Gone::Ended);
        state.taken -= live.share;
        if let Some(remains) = live.duplex.remains() {
            state.remnants += 1;
            state.calls.insert(xid, Entry::Remnant(remains));
        }
        if state.calls.len() == state.remnants {
            self.carrier.wake_writer();
        }
    }

    /// The connection has ended; `cancel` is to end whatever the handlers wait for.
    pub(super) fn lose(&self, cancel: impl Fn(u64)) {
        let state = self.state.borrow();
        let mut calls: Vec<_> = state.calls.iter().collect();
        // In the same order in each run of a seed.
        calls.sort_unstable_by_key(|(xid, _)| **xid);
        for (xid, entry) in calls {
            if let Entry::Live(live) = entry {
                live.duplex.close(Gone::Lost);
                cancel(*xid);
            }
        }
    }

    /// A piece of an item has come.
    pub(super) fn item(&self, xid: u64, piece: &[u8], more: bool) -> Result<(), Malformed> {
        let result = match self.state.borrow_mut().calls.get_mut(&xid) {
            Some(Entry::Live(live)) => live.duplex.received(piece, more),
            Some(Entry::Remnant(inbound)) => inbound.receive(piece, more).map(drop),
            None => return Err(Malformed::Unexpected { kind: Kind::Item, xid }),
        };
        result.map_err(|violation| Malformed::Stream { xid, violation })
    }

    /// The client sends no more items.
    pub(super) fn end(&self, xid: u64, how: Ending) -> Result<(), Malformed> {
        let end = match how {
            Ending::Finished => inbound::End::Finished,
            Ending::Abandoned => inbound::End::Abandoned,
            // A client that takes no more cancels its call.
            Ending::Stop => return Err(Malformed::Unexpected { kind: Kind::End, xid }),
        };
        let mut state = self.state.borrow_mut();
        let result = match state.calls.get_mut(&xid) {
            Some(Entry::Live(live)) => live.duplex.peer_ended(end),
            Some(Entry::Remnant(inbound)) => {
                let ended = inbound.end(end);
                state.forget(xid);
                ended
            }
            None => return Err(Malformed::Unexpected { kind: Kind::End, xid }),
        };
        result.map_err(|violation| Malformed::Stream { xid, violation })
    }

    /// The client gives credit. It may have done so before it saw the answer: then this is of no use.
    pub(super) fn credit(&self, xid: u64, bytes: u32) -> Result<bool, Malformed> {
        match self.state.borrow_mut().calls.get(&xid) {
            Some(Entry::Live(live)) => live.duplex.granted(bytes).map(|()| true),
            Some(Entry::Remnant(_)) | None => Ok(false),
        }
        .map_err(|violation| Malformed::Stream { xid, violation })
    }

    /// Nobody waits for the call any more, and nothing more comes for it.
    pub(super) fn cancel(&self, xid: u64) {
        let mut state = self.state.borrow_mut();
        match state.calls.get_mut(&xid) {
            Some(Entry::Live(live)) => {
                // Fails if the client has ended its stream before: then this is no news.
                let _ = live.duplex.peer_ended(inbound::End::Abandoned);
                live.duplex.close(Gone::Ended);
            }
            Some(Entry::Remnant(_)) => state.forget(xid),
            None => {}
        }
    }
}

impl State {
    fn forget(&mut self, xid: u64) {
        if self.calls.remove(&xid).is_some() {
            self.remnants -= 1;
        }
    }
}

/// Whether a call may come: it may leave something behind, however it ends.
fn check_room(state: &State, call: &Call) -> Result<(), Malformed> {
    let violation = if state.calls.contains_key(&call.xid) {
        Violation::XidInUse
    } else if call.client_stream && state.remnants >= STREAM_REMNANTS_MAX {
        Violation::Remnants
    } else {
        return Ok(());
    };
    Err(Malformed::Stream { xid: call.xid, violation })
}

fn size(bytes: u32) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
