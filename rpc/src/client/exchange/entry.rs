//! Where a call goes, and how it gets into that link's table of calls and is written.

use std::sync::Arc;
use std::time::Instant;

use fibra_scheduler::park::Unparker;
use serde::Serialize;

use super::{Exchange, Output};
use crate::client::attempts::Ended;
use crate::client::calls::stream::Opened;
use crate::client::calls::{Begun, Unanswered, Why};
use crate::client::chosen::{Chosen, Stay};
use crate::client::endpoint::Endpoints;
use crate::client::lanes::Hold;
use crate::client::link::Link;
use crate::client::streams::Stream;
use crate::error::CallError;
use crate::limits::STREAM_CREDIT_INITIAL;
use crate::metadata::Metadata;
use crate::scratch;
use crate::session::Xid;
use crate::stream::Duplex;
use crate::stream::inbound::Inbound;
use crate::stream::outbound::Outbound;
use crate::wire::encode;

impl Exchange<'_> {
    /// Where the call is to go next. Waits until there is a server.
    pub(in crate::client) fn choose<'e>(&self, endpoints: &'e Endpoints) -> Result<Chosen<'e>, CallError> {
        let chosen = endpoints.choose(self.place.get(), self.deadline);
        let (chosen, place) = chosen.map_err(|end| self.unanswered(end))?;
        self.place.set(Some(place));
        Ok(chosen)
    }

    /// Where this call is to go next; and if it has a lane, its place there.
    pub(super) fn choose_once<'e>(&self, endpoints: &'e Endpoints) -> Result<(Chosen<'e>, Option<Hold>), Unanswered> {
        let Some(lane) = self.lane() else {
            let (chosen, place) = endpoints.choose(self.place.get(), self.deadline)?;
            self.place.set(Some(place));
            return Ok((chosen, None));
        };
        let ticket = self.ticket.get().unwrap_or_else(|| endpoints.common().lanes.ticket(lane));
        self.ticket.set(Some(ticket));
        let (chosen, place, hold) = endpoints.choose_in_lane(lane, ticket, self.place.get(), self.deadline)?;
        self.place.set(Some(place));
        Ok((chosen, Some(hold)))
    }

    /// Sends the call, whose answer is to wake nobody, for now. Returns where it went.
    pub(in crate::client) fn begin<A: Serialize>(
        &self,
        endpoints: &Arc<Endpoints>,
        args: &A,
        metadata: &Metadata,
        output: Output,
    ) -> Result<(Stay, Xid), CallError> {
        let mut frame = self.encode(args, self.flags(), metadata)?;
        loop {
            let (chosen, hold) = self.choose_once(endpoints).map_err(|end| self.unanswered(end))?;
            match self.enter(&chosen, frame, hold, None, output) {
                Ok(xid) => return Ok((chosen.stay(endpoints), xid)),
                Err(Unanswered { why: Why::Moved { .. }, frame: again, .. }) => frame = again,
                Err(end) => return Err(self.unanswered(end)),
            }
        }
    }

    pub(super) fn enter(
        &self,
        link: &Link,
        frame: Vec<u8>,
        hold: Option<Hold>,
        caller: Option<Unparker>,
        output: Output,
    ) -> Result<Xid, Unanswered> {
        enter(link, frame, self.in_session(), hold, self.deadline, caller, output)
    }

    /// Sends a call with streams, as its method has them. `window` is for the server's. `None`: that link takes no calls any more.
    pub(in crate::client) fn open(
        &self,
        link: &Link,
        args: &[u8],
        metadata: &Metadata,
        window: usize,
    ) -> Result<Option<Opened>, CallError> {
        let streams = self.method.streams();
        let mut frame = self.opening(args, metadata, window)?;
        let frame_bytes = self.to.frame_bytes();
        let opened = link.calls().open(&mut frame, self.deadline, |xid| {
            let inbound = streams.server().then(|| Inbound::new(window, frame_bytes));
            // A server says when there is to be more.
            let outbound = streams.client().then(|| Outbound::new(STREAM_CREDIT_INITIAL as usize));
            Stream::new(Duplex::new(xid, frame_bytes, true, inbound, outbound))
        });
        scratch::give(frame);
        match opened {
            Ok(opened) => Ok(Some(opened)),
            Err(Unanswered { why: Why::Moved { .. }, .. }) => Ok(None),
            Err(end) => Err(self.unanswered(end)),
        }
    }
}

/// Enters a call at a link, and has it written.
#[inline]
pub(in crate::client) fn enter(
    link: &Link,
    frame: Vec<u8>,
    in_session: bool,
    hold: Option<Hold>,
    deadline: Option<Instant>,
    caller: Option<Unparker>,
    output: Output,
) -> Result<Xid, Unanswered> {
    let waits = caller.is_some();
    let begun = link.calls().begin(frame, in_session, hold, deadline, caller)?;
    let Begun { xid, queued_at, alone } = begun;
    match (queued_at, output) {
        // Nobody to share a write with: waking the writer would cost more than it saves.
        (Some(connection), Output::Sent) if alone => connection.write_now(),
        (Some(connection), Output::Sent) => connection.outbox().wake_writer(),
        (Some(_), Output::Held) => {}
        // Who waits sees to it.
        (None, _) if waits => {}
        (None, _) => link.calls().push(xid, deadline),
    }
    Ok(xid)
}

/// If a call has ended without an answer, tells the server that nobody waits any more.
pub(in crate::client) fn tell(xid: Xid, ended: Ended) -> Ended {
    ended.map_err(|mut end| {
        if let Some(connection) = end.cancel_at.take() {
            // Who gives up does not wait for room. While there is none no call is queued either, so that there are no more of these than calls.
            let mut frame = scratch::take();
            encode::cancel(&mut frame, xid);
            connection.outbox().append_anyway(&mut frame);
            scratch::give(frame);
            connection.outbox().wake_writer();
        }
        end
    })
}
