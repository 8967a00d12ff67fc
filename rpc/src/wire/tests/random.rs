//! Frames at random; and how tests write them to a stream and read them from one.

use std::io::Write;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::limits::{READ_BYTES, STREAM_CREDIT_MIN};
use crate::metadata::Metadata;
use crate::wire::bytes::Bytes;
use crate::wire::decode::Decoder;
use crate::wire::encode;
use crate::wire::failure::Code;
use crate::wire::frame::{Call, Ending, Frame, Open, Opened, Ordered};
use crate::wire::header::{FLAG_CLIENT_STREAM, FLAG_IDEMPOTENT, FLAG_ONE_WAY, Malformed};

pub(super) const FRAME_BYTES_MAX: usize = 1 << 20;

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![8 => vec(any::<u8>(), 0..200), 1 => vec(any::<u8>(), 0..3 * READ_BYTES)]
}

fn code() -> impl Strategy<Value = Code> {
    (1..=Code::MAX as u8).prop_map(|byte| Code::from_wire(byte).expect("all codes up to the largest are defined"))
}

fn xid() -> impl Strategy<Value = u64> {
    1..=u64::MAX
}

pub(super) fn call() -> impl Strategy<Value = Call> {
    let streams = (any::<bool>(), prop::option::of(STREAM_CREDIT_MIN..));
    let ordered = prop::option::of(any::<(u8, u64)>());
    let numbers = (any::<u16>(), ordered, any::<u64>());
    (xid(), numbers, any::<(bool, bool)>(), streams, metadata(), "[a-z_.]{1,255}", body()).prop_map(
        |(
            xid,
            (behind, ordered, micros),
            (one_way, idempotent),
            (client_stream, server_stream),
            metadata,
            method,
            args,
        )| {
            let is_stream = client_stream || server_stream.is_some();
            let mut call = Call {
                xid,
                behind: 0,
                // Calls that stream are neither.
                one_way: one_way && !is_stream,
                idempotent: idempotent && !is_stream,
                ordered: None,
                client_stream,
                server_stream,
                timeout: Duration::from_micros(micros),
                metadata,
                method: method.into_bytes().into(),
                args: args.into(),
            };
            // Only calls of the session acknowledge, and none before the first.
            if call.in_session() && u64::from(behind) < xid {
                call.behind = behind;
            }
            // Nor do others have lanes, or come after one before the first.
            if let Some((lane, after)) = ordered
                && call.in_session()
                && after < xid
            {
                call.ordered = Some(Ordered { lane, after });
            }
            call
        },
    )
}

/// Of a call: entries, as they travel.
fn metadata() -> impl Strategy<Value = Option<Bytes>> {
    let entries = vec(("[a-z]{1,9}", ".{0,40}"), 1..5);
    proptest::option::of(entries).prop_map(|entries| {
        let mut metadata = Metadata::new();
        for (key, value) in &entries? {
            metadata.insert(key, value).expect("within the limits");
        }
        let mut bytes = Vec::new();
        metadata.encode(|piece| bytes.extend_from_slice(piece));
        Some(bytes.into())
    })
}

fn open() -> impl Strategy<Value = Open> {
    (any::<[u8; 16]>(), any::<[u64; 2]>(), any::<u16>(), vec(any::<u8>(), 0..256)).prop_map(
        |(client, [incarnation, server], window, secret)| Open {
            client,
            incarnation,
            server,
            window,
            secret: secret.into(),
        },
    )
}

fn opened() -> impl Strategy<Value = Opened> {
    (any::<bool>(), any::<u64>(), any::<u16>(), any::<u32>()).prop_map(|(resumed, incarnation, window, lease)| Opened {
        resumed,
        incarnation,
        window,
        lease,
    })
}

pub(super) fn frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        call().prop_map(Frame::Call),
        open().prop_map(Frame::Open),
        opened().prop_map(Frame::Opened),
        (xid(), body()).prop_map(|(xid, value)| Frame::Reply { xid, value: value.into() }),
        (xid(), code(), ".{0,40}", body()).prop_map(|(xid, code, message, details)| Frame::Failure {
            xid,
            code: code as u8,
            message: message.into_bytes().into(),
            details: details.into(),
        }),
        xid().prop_map(|xid| Frame::Cancel { xid }),
        (xid(), any::<bool>(), vec(any::<u8>(), 1..300)).prop_map(|(xid, more, piece)| Frame::Item {
            xid,
            more,
            piece: piece.into()
        }),
        (xid(), prop_oneof![Just(Ending::Finished), Just(Ending::Abandoned), Just(Ending::Stop)])
            .prop_map(|(xid, how)| Frame::End { xid, how }),
        (xid(), STREAM_CREDIT_MIN..).prop_map(|(xid, bytes)| Frame::Credit { xid, bytes }),
        any::<u64>().prop_map(|echo| Frame::Ping { echo }),
        any::<u64>().prop_map(|echo| Frame::Pong { echo }),
        prop::collection::btree_set(xid(), 1..6).prop_map(|xids| {
            let mut wanted: Vec<u64> = xids.into_iter().collect();
            let first_incomplete = wanted.pop().expect("one at least");
            Frame::Acknowledge { first_incomplete, wanted }
        }),
        (any::<u8>(), ".{0,40}")
            .prop_map(|(code, message)| Frame::GoAway { code, message: message.into_bytes().into() }),
    ]
}

pub(super) fn encoded(frames: &[Frame]) -> Vec<u8> {
    let mut out = Vec::new();
    for frame in frames {
        let out = &mut out;
        match frame {
            Frame::Call(call) => {
                let method = std::str::from_utf8(&call.method).expect("the strategy makes text");
                let mut frame = Vec::new();
                let one_way = if call.one_way { FLAG_ONE_WAY } else { 0 };
                let idempotent = if call.idempotent { FLAG_IDEMPOTENT } else { 0 };
                let client_stream = if call.client_stream { FLAG_CLIENT_STREAM } else { 0 };
                let flags = one_way | idempotent | client_stream;
                let metadata = call.metadata.as_ref().map(|bytes| Metadata::decode(bytes).expect("it is metadata"));
                let metadata = metadata.unwrap_or_default();
                let credit = call.server_stream;
                let lane = call.ordered.map(|ordered| ordered.lane);
                let mut body = encode::call_with(&mut frame, method, flags, lane, &metadata, credit, FRAME_BYTES_MAX);
                body.write_all(&call.args).expect("within the limit");
                body.finish().expect("within the limit");
                encode::stamp_call(&mut frame, call.xid, call.behind, call.timeout);
                if let Some(Ordered { after, .. }) = call.ordered {
                    encode::stamp_turn(&mut frame, after);
                }
                out.extend_from_slice(&frame);
            }
            Frame::Reply { xid, value } => {
                let mut body = encode::reply(out, *xid, FRAME_BYTES_MAX);
                body.write_all(value).expect("within the limit");
                body.finish().expect("within the limit");
            }
            Frame::Failure { xid, code, message, details } => {
                let code = Code::from_wire(*code).expect("the strategy makes defined codes");
                let message = std::str::from_utf8(message).expect("the strategy makes text");
                let mut body = encode::failure(out, *xid, code, message, FRAME_BYTES_MAX);
                body.write_all(details).expect("within the limit");
                body.finish().expect("within the limit");
            }
            Frame::Cancel { xid } => encode::cancel(out, *xid),
            Frame::Ping { echo } => encode::ping(out, *echo),
            Frame::Pong { echo } => encode::pong(out, *echo),
            Frame::Acknowledge { first_incomplete, wanted } => {
                encode::acknowledge(out, *first_incomplete, wanted.iter().copied());
            }
            Frame::GoAway { code, message } => {
                encode::goaway(out, *code, std::str::from_utf8(message).expect("the strategy makes text"));
            }
            Frame::Open(open) => encode::open(out, open),
            Frame::Opened(opened) => encode::opened(out, opened),
            // An item that is whole is encoded in place.
            Frame::Item { xid, more: false, piece } => {
                let mut body = encode::item(out, *xid, FRAME_BYTES_MAX);
                body.write_all(piece).expect("within the limit");
                body.finish().expect("within the limit");
            }
            Frame::Item { xid, more, piece } => encode::piece(out, *xid, piece, *more),
            Frame::End { xid, how } => encode::end(out, *xid, *how),
            Frame::Credit { xid, bytes } => encode::credit(out, *xid, *bytes),
        }
    }
    out
}

/// Feeds the decoder as a socket would: as much as there is space for, but at most `piece` at a time.
pub(super) fn decoded(bytes: &[u8], pieces: &[usize]) -> Result<Vec<Frame>, Malformed> {
    let mut decoder = Decoder::new(FRAME_BYTES_MAX);
    let mut frames = Vec::new();
    let mut rest = bytes;
    let mut pieces = pieces.iter().copied().cycle();
    while !rest.is_empty() {
        let space = decoder.space();
        let count = rest.len().min(space.len()).min(pieces.next().unwrap_or(usize::MAX));
        let (piece, tail) = rest.split_at(count);
        space[..count].copy_from_slice(piece);
        decoder.filled(count);
        rest = tail;
        while let Some(frame) = decoder.next_frame()? {
            frames.push(frame);
        }
    }
    Ok(frames)
}
