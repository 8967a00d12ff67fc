//! A call that streams, to a service of this process: its handler on a fiber of its own, and both halves of its streams in memory.
//!
//! ```text
//!   caller ─ Duplex ─ frames ─▶ Way ─ whoever queued one delivers it ─▶ Duplex ─ handler
//!              ▲                                                           │
//!              └──────────────────────── Way ◀─────────────────────────────┘
//! ```
//!
//! What goes to and fro are the frames that would travel, with the credit and the limits of a connection. So senders wait for receivers as they would
//! there, and an answer comes behind the items.
//!
//! Invariants:
//! * A frame is delivered by who queued it, or by who is at it already: in order, and without a fiber for that.
//! * However the handler's fiber ends, the call does; also if it never ran.

use std::cell::Cell;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fibra_scheduler::{JoinHandle, cancel};

use super::super::calls::OUTSIDE;
use super::super::streams::Stream;
use super::outcome;
use crate::limits::STREAM_CREDIT_INITIAL;
use crate::outbox::Outbox;
use crate::server::{Local, LocalPlace};
use crate::service::{CallStreams, Streams};
use crate::stream::inbound::{self, Inbound};
use crate::stream::outbound::Outbound;
use crate::stream::{Carrier, Duplex, Gone};
use crate::wire::decode::Decoder;
use crate::wire::encode;
use crate::wire::frame::{Ending, Frame};

/// One direction.
struct Way {
    outbox: Outbox,
    to: To,
}

/// Who takes what comes.
enum To {
    Handler { duplex: Arc<Duplex>, fiber: JoinHandle<()> },
    Caller(Arc<Stream>),
}

/// Calls the method in `frame`, which has these `streams`; the caller has a `window` for the handler's items.
///
/// # Errors
///
/// There is no fiber to be had.
pub(in super::super) fn open(
    local: &Arc<Local>,
    mut frame: Vec<u8>,
    streams: Streams,
    window: usize,
    deadline: Option<Instant>,
) -> io::Result<(Arc<Stream>, Arc<dyn Carrier>)> {
    // Any xid will do that a call which streams may have.
    let xid = OUTSIDE;
    encode::stamp_call(&mut frame, xid, 0, Duration::ZERO);
    let limits = *local.limits();
    let initial = STREAM_CREDIT_INITIAL as usize;
    let duplex = |ends_aloud, inbound: Option<usize>, outbound: Option<usize>| {
        let inbound = inbound.map(|window| Inbound::new(window, limits.frame_bytes));
        Duplex::new(xid, limits.frame_bytes, ends_aloud, inbound, outbound.map(Outbound::new))
    };
    let to_handler = streams.client().then_some(initial);
    let to_caller = streams.server().then_some(window);
    let stream = Arc::new(Stream::new(duplex(true, to_caller, to_handler)));
    let duplex = Arc::new(duplex(false, to_handler, to_caller));

    let back =
        Arc::new(Way { outbox: Outbox::of_whole_frames(limits.buffered_bytes), to: To::Caller(Arc::clone(&stream)) });
    let place = local.enter(streams);
    let is_answered = Cell::new(false);
    let handler = Handler { local: Arc::clone(local), duplex: Arc::clone(&duplex), back, place, streams, is_answered };
    let run = move || handler.run(frame, deadline);
    // It ends with its call, not with what bounds the caller's waits.
    let fiber = cancel::shield(|| fibra_scheduler::Builder::new().name("rpc local stream").spawn(run))?;
    let there = Way { outbox: Outbox::of_whole_frames(limits.buffered_bytes), to: To::Handler { duplex, fiber } };
    Ok((stream, Arc::new(there)))
}

impl Way {
    /// Acts on a frame. What would break a rule has crossed the end of its call, for both halves are ours; and there is one call.
    fn deliver(&self, frame: Frame) {
        match (&self.to, frame) {
            (To::Handler { duplex, fiber }, Frame::Cancel { xid: OUTSIDE }) => {
                let _ = duplex.peer_ended(inbound::End::Abandoned);
                duplex.close(Gone::Ended);
                fiber.cancel();
            }
            (To::Caller(stream), frame @ (Frame::Reply { xid: OUTSIDE, .. } | Frame::Failure { xid: OUTSIDE, .. })) => {
                if let Some(outcome) = outcome(frame) {
                    stream.answer(outcome);
                }
            }
            (To::Handler { duplex, .. }, frame) => give(duplex, &frame),
            (To::Caller(stream), frame) => give(stream.duplex(), &frame),
        }
    }
}

fn give(duplex: &Duplex, frame: &Frame) {
    let _ = match frame {
        Frame::Item { xid: OUTSIDE, piece, more } => duplex.received(piece, *more),
        Frame::Credit { xid: OUTSIDE, bytes } => duplex.granted(*bytes),
        Frame::End { xid: OUTSIDE, how: Ending::Stop } => duplex.peer_stopped(),
        Frame::End { xid: OUTSIDE, how: Ending::Finished } => duplex.peer_ended(inbound::End::Finished),
        Frame::End { xid: OUTSIDE, how: Ending::Abandoned } => duplex.peer_ended(inbound::End::Abandoned),
        _ => Ok(()),
    };
}

impl Carrier for Way {
    fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    fn write_soon(&self, _queued_bytes: usize) {
        // It never fails: all that is delivered is taken.
        let _ = self.outbox.flush(Delivery(self));
    }
}

/// Takes whole frames: the outbox cuts none.
struct Delivery<'a>(&'a Way);

impl Write for Delivery<'_> {
    fn write(&mut self, frames: &[u8]) -> io::Result<usize> {
        let mut decoder = Decoder::of(frames.to_vec(), usize::MAX);
        while let Ok(Some(frame)) = decoder.next_frame() {
            self.0.deliver(frame);
        }
        debug_assert!(!decoder.is_mid_frame(), "a frame was cut, and is lost");
        Ok(frames.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the handler's fiber has.
struct Handler {
    local: Arc<Local>,
    duplex: Arc<Duplex>,
    back: Arc<Way>,
    place: LocalPlace,
    streams: Streams,
    /// Its answer has been queued.
    is_answered: Cell<bool>,
}

impl Handler {
    fn run(self, frame: Vec<u8>, deadline: Option<Instant>) {
        if cancel::check().is_err() {
            // Given up before it began.
            return;
        }
        let carrier: Arc<dyn Carrier> = Arc::clone(&self.back) as _;
        let window = STREAM_CREDIT_INITIAL as usize + self.place.window_bytes();
        let streams = CallStreams::new(Arc::clone(&self.duplex), carrier, window, self.streams);
        let run = || self.local.run_streaming(frame, &self.place, streams);
        let mut reply = match deadline {
            Some(deadline) => cancel::with_deadline(deadline, run),
            None => run(),
        };
        // As at a server, before the answer is queued: no item comes behind it.
        self.duplex.close(Gone::Ended);
        // Once queued it comes: if another fiber of the handler's is delivering, by that one, and perhaps later.
        self.is_answered.set(!reply.is_empty());
        self.back.outbox.append_anyway(&mut reply);
        self.back.write_soon(0);
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        self.duplex.close(Gone::Ended);
        // What comes now is dropped.
        drop(self.duplex.remains());
        if let To::Caller(stream) = &self.back.to
            && !self.is_answered.get()
        {
            stream.lose(u64::MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::streams::Watched;
    use crate::health::{Health, HealthService};
    use crate::metadata::Metadata;
    use crate::stream::StreamError;

    const STREAMS: Streams = Streams::Server;

    /// Delivers, but does something else before.
    struct After<'a, F>(Option<F>, Delivery<'a>);

    impl<F: FnOnce()> Write for After<'_, F> {
        fn write(&mut self, frames: &[u8]) -> io::Result<usize> {
            if let Some(before) = self.0.take() {
                before();
            }
            self.1.write(frames)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// As when a handler has given its sender to another fiber.
    #[test]
    fn an_answer_that_another_delivers_comes_all_the_same() {
        let local = Arc::new(Local::of(Box::new(HealthService { health: Health::new(std::iter::empty()) })));
        let inbound = Some(Inbound::new(1024, 1024));
        let stream = Arc::new(Stream::new(Duplex::new(OUTSIDE, 1024, true, inbound, None)));
        let duplex = Arc::new(Duplex::new(OUTSIDE, 1024, false, None, Some(Outbound::new(1024))));
        let back = Arc::new(Way { outbox: Outbox::of_whole_frames(1024), to: To::Caller(Arc::clone(&stream)) });
        let place = local.enter(STREAMS);
        let handler = Handler {
            local,
            duplex: Arc::clone(&duplex),
            back: Arc::clone(&back),
            place,
            streams: STREAMS,
            is_answered: Cell::new(false),
        };
        let mut frame = Vec::new();
        let call = encode::call_with(&mut frame, "none.such", 0, None, &Metadata::new(), Some(1024), 1024);
        call.finish().expect("it is short");
        encode::stamp_call(&mut frame, OUTSIDE, 0, Duration::ZERO);

        let mut item = Vec::new();
        encode::piece(&mut item, OUTSIDE, b"item", false);
        back.outbox.append_and_wake(&mut item).expect("there is room");
        let run = || handler.run(frame, None);
        back.outbox.flush(After(Some(run), Delivery(&back))).expect("it is delivered");

        assert!(matches!(stream.watch(), Watched::Answered(_)));
        let (carrier, mut taken) = (&*back, Vec::new());
        assert_eq!(stream.duplex().recv(carrier, &mut taken, None), Ok(true));
        assert_eq!(stream.duplex().recv(carrier, &mut taken, None), Err(StreamError::CallEnded), "and was not lost");
    }
}
