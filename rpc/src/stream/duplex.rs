//! The streams of one call, in both directions, and who waits for them.
//!
//! ```text
//!   handler or caller ── send, recv ─▶ Duplex ◀── received, granted, ended ── whoever reads the connection
//!         parks ◀─────── unpark ─────────┘
//! ```
//!
//! Invariants:
//! * A frame is queued under the lock under which its credit was taken or its end was set: frames leave in the order of the states.
//! * The lock is taken before the outbox's, never the other way round, and is not held across a park or user code.
//! * Once the call is [over](Duplex::close) nothing more of its streams is queued.

use std::time::Instant;

use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::park::{self, Reason};
use parking_lot::{Mutex, MutexGuard};

use super::StreamError;
use super::flow::Violation;
use super::inbound::{End, Inbound, Taken};
use super::outbound::{Next, Outbound, Over};
use crate::outbox::Outbox;
use crate::scratch;
use crate::waiters::{Ticket, Waiters};
use crate::wire::frame::Ending;
use crate::wire::{encode, header};

/// What frames leave through.
pub(crate) trait Carrier: Send + Sync {
    fn outbox(&self) -> &Outbox;

    /// Frames have been queued, of which there are now so many bytes, and are to be written soon: with those that the caller queues until
    /// it parks, if possible. Does not wait for the peer.
    fn write_soon(&self, queued_bytes: usize);
}

/// The streams of one call.
pub(crate) struct Duplex {
    xid: u64,
    frame_bytes_max: usize,
    /// Whether the peer waits to hear that there are no more items: a client's does. A server's call ends with its answer.
    ends_aloud: bool,
    state: Mutex<State>,
}

struct State {
    inbound: Option<Inbound>,
    outbound: Option<Outbound>,
    gone: Option<Gone>,
    /// An item or credit has come. Both are only the handler's doing, so it has begun.
    heard: bool,
    receivers: Waiters,
    senders: Waiters,
}

/// Why the call is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// It was answered, or given up.
    Ended,
    /// The connection was.
    Lost,
    /// Nobody can read the connection.
    Unread,
}

impl From<Gone> for StreamError {
    fn from(gone: Gone) -> Self {
        match gone {
            Gone::Ended => Self::CallEnded,
            Gone::Lost => Self::Disconnected,
            Gone::Unread => Self::Overloaded,
        }
    }
}

impl Duplex {
    pub(crate) fn new(
        xid: u64,
        frame_bytes_max: usize,
        ends_aloud: bool,
        inbound: Option<Inbound>,
        outbound: Option<Outbound>,
    ) -> Self {
        let state = State {
            inbound,
            outbound,
            gone: None,
            heard: false,
            receivers: Waiters::default(),
            senders: Waiters::default(),
        };
        Self { xid, frame_bytes_max, ends_aloud, state: Mutex::new(state) }
    }

    pub(crate) fn xid(&self) -> u64 {
        self.xid
    }

    pub(crate) fn frame_bytes_max(&self) -> usize {
        self.frame_bytes_max
    }

    // What users do.

    /// Sends an item: `frame` is a whole item frame.
    pub(crate) fn send(
        &self,
        carrier: &dyn Carrier,
        frame: &mut Vec<u8>,
        deadline: Option<Instant>,
    ) -> Result<(), StreamError> {
        let total = frame.len();
        let mut sent = header::LEN;
        while sent < total {
            let (ticket, waited) = match self.send_piece(carrier, frame, sent) {
                Ok(len) => {
                    sent += len;
                    continue;
                }
                Err(Blocked::Never(error)) => return Err(error),
                Err(Blocked::Full(ticket)) => (ticket, carrier.outbox().park_for_room(deadline).map(drop)),
                Err(Blocked::Credit(ticket)) => (ticket, park::wait(Reason::Call, deadline)),
            };
            // Whoever signals wakes all, so that none is owed.
            self.state.lock().senders.leave(ticket);
            if let Err(interrupted) = waited {
                if sent > header::LEN {
                    // What was sent of it cannot be called back.
                    self.finish(carrier, Ending::Abandoned);
                }
                return Err(interrupted.into());
            }
        }
        Ok(())
    }

    /// Queues the next piece, from `sent` on, and returns its length.
    fn send_piece(&self, carrier: &dyn Carrier, frame: &mut Vec<u8>, sent: usize) -> Result<usize, Blocked> {
        let (begun, rest) = (sent > header::LEN, frame.len() - sent);
        let mut state = self.state.lock();
        if let Some(gone) = state.gone {
            return Err(Blocked::Never(gone.into()));
        }
        // First, so that no credit is taken for what then cannot be queued.
        if carrier.outbox().is_full() {
            // The call may end meanwhile, which makes no room.
            return Err(Blocked::Full(state.senders.add()));
        }
        let Some(outbound) = &mut state.outbound else { return Err(Blocked::Never(StreamError::Finished)) };
        let len = match outbound.next(rest, begun) {
            Next::Piece { len } => len,
            Next::Wait => return Err(Blocked::Credit(state.senders.add())),
            Next::Over(Over::Ended) => return Err(Blocked::Never(StreamError::Finished)),
            Next::Over(Over::Stopped) => return Err(Blocked::Never(StreamError::Stopped)),
        };
        let more = len < rest;
        let queued = if begun || more {
            let mut piece = scratch::take();
            encode::piece(&mut piece, self.xid, frame.get(sent..sent + len).unwrap_or_default(), more);
            let queued = carrier.outbox().append_anyway(&mut piece);
            scratch::give(piece);
            queued
        } else {
            carrier.outbox().append_anyway(frame)
        };
        // Others have waited for an item that went in pieces to be through.
        let others = if begun && !more { state.senders.take_all() } else { Waiters::default() };
        drop(state);
        others.wake();
        if queued == 0 {
            return Err(Blocked::Never(StreamError::Disconnected));
        }
        carrier.write_soon(queued);
        Ok(len)
    }

    /// Sends no more items.
    pub(crate) fn finish(&self, carrier: &dyn Carrier, how: Ending) {
        let mut state = self.state.lock();
        let Some(cut) = state.outbound.as_mut().and_then(Outbound::end) else { return };
        let senders = state.senders.take_all();
        let how = if cut { Ending::Abandoned } else { how };
        let is_awaited = self.ends_aloud && state.gone != Some(Gone::Lost);
        let said = state.say_if(is_awaited, carrier, |out| {
            encode::end(out, self.xid, how);
        });
        drop(state);
        senders.wake();
        write(carrier, said);
    }

    /// Takes the next item, behind what `item` has of it already. `Ok(false)`: there will be none any more, as is proper.
    pub(crate) fn recv(
        &self,
        carrier: &dyn Carrier,
        item: &mut Vec<u8>,
        deadline: Option<Instant>,
    ) -> Result<bool, StreamError> {
        // Whoever is cut looks once more: what has come before it ran again is not to be taken for lost.
        let mut cut: Option<Interrupted> = None;
        loop {
            let mut state = self.state.lock();
            let (taken, grant) = match &mut state.inbound {
                Some(inbound) => (inbound.take(item), inbound.grant()),
                // Then it is only the end that can come.
                None => (Taken::Nothing, None),
            };
            let is_open = state.gone.is_none();
            let said = state.say_if(is_open && grant.is_some(), carrier, |out| {
                encode::credit(out, self.xid, grant.unwrap_or_default());
            });
            // What has come can be taken even after the call.
            let result = match (taken, state.gone) {
                (Taken::Item, _) => Some(Ok(true)),
                (Taken::End(End::Finished), _) => Some(Ok(false)),
                (Taken::End(End::Abandoned), _) => Some(Err(StreamError::Abandoned)),
                (Taken::Nothing, Some(gone)) => Some(Err(gone.into())),
                (Taken::Nothing, None) => cut.map(|interrupted| Err(interrupted.into())),
            };
            let ticket = result.is_none().then(|| state.receivers.add());
            drop(state);
            write(carrier, said);
            let Some(ticket) = ticket else { return result.unwrap_or(Ok(false)) };
            let parked = park::wait(Reason::Call, deadline);
            self.state.lock().receivers.leave(ticket);
            cut = parked.err();
        }
    }

    /// Has a window of so many bytes from now on.
    pub(crate) fn widen(&self, window: usize) {
        if let Some(inbound) = &mut self.state.lock().inbound {
            inbound.widen(window);
        }
    }

    /// Takes no more items, and says so unless there are to be none anyway.
    pub(crate) fn stop(&self, carrier: &dyn Carrier) {
        let mut state = self.state.lock();
        let Some(inbound) = &mut state.inbound else { return };
        let is_open = inbound.ended().is_none();
        inbound.discard();
        let is_open = is_open && state.gone.is_none();
        let said = state.say_if(is_open, carrier, |out| encode::end(out, self.xid, Ending::Stop));
        drop(state);
        write(carrier, said);
    }

    /// A client gives the call up: says so, if it is not over yet, and ends the streams.
    pub(crate) fn give_up(&self, carrier: &dyn Carrier) {
        let mut state = self.state.lock();
        // A cancel stands for the end, too. After the answer, that is still awaited.
        let is_open = state.outbound.as_mut().is_some_and(|outbound| outbound.end().is_some());
        let said = match state.gone {
            None => state.say_if(true, carrier, |out| encode::cancel(out, self.xid)),
            Some(Gone::Ended) => state.say_if(is_open, carrier, |out| encode::end(out, self.xid, Ending::Abandoned)),
            Some(_) => 0,
        };
        Self::go(state, Gone::Ended);
        write(carrier, said);
    }

    // What whoever reads the connection does.

    /// A piece of an item has come.
    pub(crate) fn received(&self, piece: &[u8], more: bool) -> Result<(), Violation> {
        let mut state = self.state.lock();
        state.heard = true;
        let Some(inbound) = &mut state.inbound else { return Err(Violation::NoSuchStream) };
        if inbound.receive(piece, more)? {
            Self::wake_receivers(state);
        }
        Ok(())
    }

    /// The peer sends no more items.
    pub(crate) fn peer_ended(&self, end: End) -> Result<(), Violation> {
        let mut state = self.state.lock();
        let Some(inbound) = &mut state.inbound else { return Err(Violation::NoSuchStream) };
        inbound.end(end)?;
        Self::wake_receivers(state);
        Ok(())
    }

    /// The peer takes no more items. That says nothing about a run: what cannot be read as a call takes none either.
    pub(crate) fn peer_stopped(&self) -> Result<(), Violation> {
        let mut state = self.state.lock();
        let Some(outbound) = &mut state.outbound else { return Err(Violation::NoSuchStream) };
        outbound.stop();
        Self::wake_senders(state);
        Ok(())
    }

    /// The peer gives credit.
    pub(crate) fn granted(&self, bytes: u32) -> Result<(), Violation> {
        let mut state = self.state.lock();
        state.heard = true;
        let Some(outbound) = &mut state.outbound else { return Err(Violation::NoSuchStream) };
        outbound.grant(bytes)?;
        Self::wake_senders(state);
        Ok(())
    }

    /// The call is over. Items that have come can still be taken.
    pub(crate) fn close(&self, gone: Gone) {
        Self::go(self.state.lock(), gone);
    }

    fn go(mut state: MutexGuard<'_, State>, gone: Gone) {
        if state.gone != Some(Gone::Lost) {
            state.gone = Some(gone);
        }
        let (receivers, senders) = (state.receivers.take_all(), state.senders.take_all());
        drop(state);
        receivers.wake();
        senders.wake();
    }

    /// Whether an item or credit has come: then the handler has begun.
    pub(crate) fn heard(&self) -> bool {
        self.state.lock().heard
    }

    /// What is left of the receiving half once the call has been answered: the rules that what is under way must keep. `None`: nothing
    /// is to come.
    pub(crate) fn remains(&self) -> Option<Inbound> {
        let mut inbound = self.state.lock().inbound.take()?;
        inbound.discard();
        inbound.ended().is_none().then_some(inbound)
    }

    fn wake_receivers(mut state: MutexGuard<'_, State>) {
        if !state.receivers.is_empty() {
            let receivers = state.receivers.take_all();
            drop(state);
            receivers.wake();
        }
    }

    fn wake_senders(mut state: MutexGuard<'_, State>) {
        if !state.senders.is_empty() {
            let senders = state.senders.take_all();
            drop(state);
            senders.wake();
        }
    }
}

impl State {
    /// Queues a frame of a few bytes, whatever room there is: a state machine bounds how many there are of it.
    fn say_if(&mut self, condition: bool, carrier: &dyn Carrier, encode: impl FnOnce(&mut Vec<u8>)) -> usize {
        if !condition {
            return 0;
        }
        let mut frame = scratch::take();
        encode(&mut frame);
        let queued = carrier.outbox().append_anyway(&mut frame);
        scratch::give(frame);
        queued
    }
}

/// To be called without the lock.
fn write(carrier: &dyn Carrier, queued_bytes: usize) {
    if queued_bytes > 0 {
        carrier.write_soon(queued_bytes);
    }
}

/// Why a piece was not queued.
enum Blocked {
    /// There is no credit, or another item is on its way.
    Credit(Ticket),
    /// The output is full.
    Full(Ticket),
    Never(StreamError),
}
