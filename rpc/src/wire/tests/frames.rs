//! Frames and streams of them.

use std::io::Write;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::limits::{MESSAGE_BYTES_MAX, READ_BYTES, STREAM_CREDIT_MIN};
use crate::metadata::Metadata;
use crate::session::Turn;
use crate::wire::bytes::Bytes;
use crate::wire::decode::Decoder;
use crate::wire::encode;
use crate::wire::failure::Code;
use crate::wire::frame::{Call, Ending, Frame, Open, Opened, Ordered};
use crate::wire::header::{
    self, FLAG_CLIENT_STREAM, FLAG_IDEMPOTENT, FLAG_METADATA, FLAG_ONE_WAY, FLAG_ORDERED, FLAG_SERVER_STREAM, Header,
    Kind, Malformed,
};
use crate::wire::preface;

const FRAME_BYTES_MAX: usize = 1 << 20;

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![8 => vec(any::<u8>(), 0..200), 1 => vec(any::<u8>(), 0..3 * READ_BYTES)]
}

fn code() -> impl Strategy<Value = Code> {
    (1..=Code::MAX as u8).prop_map(|byte| Code::from_wire(byte).expect("all codes up to the largest are defined"))
}

fn xid() -> impl Strategy<Value = u64> {
    1..=u64::MAX
}

fn call() -> impl Strategy<Value = Call> {
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

fn frame() -> impl Strategy<Value = Frame> {
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

fn encoded(frames: &[Frame]) -> Vec<u8> {
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
fn decoded(bytes: &[u8], pieces: &[usize]) -> Result<Vec<Frame>, Malformed> {
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

/// A call, cut or with a byte of its header changed, as often as not into one of little difference.
fn nearly_a_call() -> impl Strategy<Value = Vec<u8>> {
    let at = prop_oneof![0..header::LEN + 10, 4..8_usize, Just(header::LEN + 8)];
    let change = prop::option::of((at, prop_oneof![0_u8..=16, any::<u8>()]));
    let plain = prop_oneof![Just(true), any::<bool>()];
    let cut = prop_oneof![3 => Just(None), 1 => any::<prop::sample::Index>().prop_map(Some)];
    (call(), any::<bool>(), plain, change, cut).prop_map(|(mut call, early, plain, change, cut)| {
        if early {
            (call.xid, call.behind) = (1 + call.xid % 4, 0);
        }
        if plain {
            call = Call { one_way: false, client_stream: false, server_stream: None, metadata: None, ..call };
        }
        let mut bytes = encoded(&[Frame::Call(call)]);
        if let Some((at, byte)) = change
            && let Some(changed) = bytes.get_mut(at)
        {
            *changed = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_short_way_of_a_plain_call_leads_to_the_same(bytes in nearly_a_call()) {
        let (mut short, mut long) = (Decoder::of(bytes.clone(), 300), Decoder::of(bytes, 300));
        let plain = short.next_plain_call();
        let frame = long.next_frame();
        let is_plain = |call: &Call| {
            let with_more = call.one_way || call.is_stream() || call.ordered.is_some() || call.metadata.is_some();
            !with_more
        };
        match &frame {
            Ok(Some(Frame::Call(call))) if is_plain(call) => prop_assert_eq!(plain.as_ref(), Some(call)),
            _ => {
                prop_assert_eq!(plain, None);
                // It has taken nothing.
                prop_assert_eq!(short.next_frame(), frame);
            }
        }
        prop_assert_eq!(short.next_frame(), long.next_frame());
    }
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(frames in vec(frame(), 0..8)) {
        prop_assert_eq!(decoded(&encoded(&frames), &[]), Ok(frames));
    }

    #[test]
    fn any_split_of_the_stream_gives_the_same_frames(
        frames in vec(frame(), 0..8),
        pieces in vec(1_usize..600, 1..20),
        single_bytes in any::<bool>(),
    ) {
        let pieces = if single_bytes { vec![1] } else { pieces };
        prop_assert_eq!(decoded(&encoded(&frames), &pieces), Ok(frames));
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..2000), pieces in vec(1_usize..300, 1..5)) {
        let _ = decoded(&bytes, &pieces);
    }

    /// Random bytes seldom get past the header; these have a true one.
    #[test]
    fn random_bodies_never_panic(kind in 1_u8..=10, flags in prop_oneof![0_u8..4, any::<u8>()], bytes in vec(any::<u8>(), 0..400)) {
        let mut frame = Header { len: bytes.len() as u32, kind: Kind::Call, flags, behind: 0, xid: 1 }.encode();
        frame[4] = kind;
        if (Kind::GoAway as u8..=Kind::Opened as u8).contains(&kind) {
            frame[15] = 0;
        }
        let _ = decoded(&[&frame[..], &bytes].concat(), &[]);
    }

    #[test]
    fn a_changed_byte_never_panics(frames in vec(frame(), 1..4), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut bytes = encoded(&frames);
        let at = at.index(bytes.len());
        bytes[at] = to;
        let _ = decoded(&bytes, &[]);
    }

    #[test]
    fn cancels_are_seen_ahead_of_their_turn(frames in vec(frame(), 0..6)) {
        let bytes = encoded(&frames);
        let mut decoder = Decoder::new(FRAME_BYTES_MAX);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let space = decoder.space();
            let count = rest.len().min(space.len());
            space[..count].copy_from_slice(&rest[..count]);
            decoder.filled(count);
            rest = &rest[count..];
        }
        let cancels: Vec<_> = frames.iter().filter_map(|frame| match frame {
            Frame::Cancel { xid } => Some(*xid),
            _ => None,
        }).collect();
        prop_assert_eq!(decoder.cancels().collect::<Vec<_>>(), cancels);
    }
}

#[test]
fn a_call_that_is_put_back_is_the_next_again() {
    let ordered = Some(Ordered { lane: 3, after: 6 });
    let metadata = Some(Bytes::from(vec![0x81, 0xa1, b'k', 0xa1, b'v']));
    for (ordered, metadata) in [(None, None), (ordered, None), (None, metadata.clone()), (ordered, metadata)] {
        let call = Call {
            xid: 7,
            behind: 2,
            one_way: false,
            idempotent: false,
            ordered,
            client_stream: false,
            server_stream: None,
            timeout: Duration::from_secs(1),
            metadata,
            method: b"desk.add".to_vec().into(),
            args: vec![0x90].into(),
        };
        let mut decoder = Decoder::of(encoded(&[Frame::Call(call.clone())]), FRAME_BYTES_MAX);
        for _ in 0..2 {
            assert_eq!(decoder.next_frame(), Ok(Some(Frame::Call(call.clone()))));
            decoder.put_back(&call);
        }
    }
}

#[test]
fn a_frame_outlives_the_reading_of_the_next() {
    let first = Frame::Reply { xid: 1, value: vec![1; 100].into() };
    let second = Frame::Reply { xid: 2, value: vec![2; 100].into() };
    let bytes = encoded(&[first.clone(), second.clone()]);
    let (head, tail) = bytes.split_at(150);

    let mut decoder = Decoder::new(FRAME_BYTES_MAX);
    let mut feed = |piece: &[u8]| {
        decoder.space()[..piece.len()].copy_from_slice(piece);
        decoder.filled(piece.len());
        decoder.next_frame()
    };
    let held = feed(head).expect("well-formed").expect("whole");
    assert_eq!(feed(tail), Ok(Some(second)));
    assert_eq!(held, first, "the buffer was not overwritten under it");
}

#[test]
fn a_header_alone_takes_no_memory() {
    let header = Header { len: FRAME_BYTES_MAX as u32, kind: Kind::Reply, flags: 0, behind: 0, xid: 1 }.encode();
    let mut decoder = Decoder::new(FRAME_BYTES_MAX);
    decoder.space()[..header::LEN].copy_from_slice(&header);
    decoder.filled(header::LEN);
    assert_eq!(decoder.next_frame(), Ok(None));
    assert!(decoder.space().len() <= READ_BYTES);
}

#[test]
fn what_a_version_does_not_define_is_malformed() {
    let good = Header { len: 0, kind: Kind::Cancel, flags: 0, behind: 0, xid: 1 }.encode();
    let changed = |at: usize, to: u8| {
        let mut bytes = good;
        bytes[at] = to;
        decoded(&bytes, &[])
    };
    assert_eq!(decoded(&good, &[]), Ok(vec![Frame::Cancel { xid: 1 }]));
    assert_eq!(changed(4, 0), Err(Malformed::Kind(0)));
    assert_eq!(changed(4, 14), Err(Malformed::Kind(14)));
    assert_eq!(changed(5, 1), Err(Malformed::Flags { kind: Kind::Cancel, flags: 1 }));
    assert_eq!(changed(6, 1), Err(Malformed::Reserved));
    assert_eq!(changed(15, 0), Err(Malformed::Xid { kind: Kind::Cancel, xid: 0 }));
    assert_eq!(changed(0, 0xff), Err(Malformed::TooLong { len: 0xff00_0000, max: FRAME_BYTES_MAX }));
}

#[test]
fn a_malformed_stream_stays_malformed() {
    let mut decoder = Decoder::new(FRAME_BYTES_MAX);
    decoder.space()[..header::LEN].fill(0xff);
    decoder.filled(header::LEN);
    assert_eq!(decoder.next_frame(), Err(Malformed::Kind(0xff)));
    assert_eq!(decoder.next_frame(), Err(Malformed::Kind(0xff)));
}

#[test]
fn a_body_over_the_limit_leaves_no_trace() {
    let mut out = vec![7];
    let mut body = encode::reply(&mut out, 1, 1024);
    assert!(body.write_all(&[0; 1024]).is_ok());
    assert!(body.write_all(&[0; 1]).is_err());
    assert!(body.finish().is_err());
    assert_eq!(out, [7]);
}

#[test]
fn a_long_message_is_cut_at_a_character() {
    let mut out = Vec::new();
    encode::goaway(&mut out, 1, &"€".repeat(MESSAGE_BYTES_MAX));
    let frames = decoded(&out, &[]).expect("well-formed");
    let [Frame::GoAway { message, .. }] = &frames[..] else { panic!("one goaway, not {frames:?}") };
    assert!(message.len() <= MESSAGE_BYTES_MAX);
    assert!(std::str::from_utf8(message).is_ok());
}

#[test]
fn a_preface_names_its_version() {
    assert_eq!(preface::encode(1), *b"\xC1fibra\x01\x00");
    assert_eq!(preface::decode(&preface::encode(9)), Some(9));
    assert_eq!(preface::decode(b"GET / HT"), None);
}

#[test]
fn only_a_call_of_the_session_acknowledges() {
    let header = |flags, behind, xid| Header { len: 0, kind: Kind::Call, flags, behind, xid }.encode();
    let decode = |bytes| Header::decode(&bytes).map(|header| header.behind);
    assert_eq!(decode(header(0, 6, 7)), Ok(6));
    assert_eq!(decode(header(0, 7, 7)), Err(Malformed::Behind { xid: 7, behind: 7 }), "xids begin with 1");
    assert_eq!(decode(header(FLAG_ONE_WAY, 6, 7)), Err(Malformed::Reserved));
    assert_eq!(decode(header(FLAG_IDEMPOTENT, 6, 7)), Err(Malformed::Reserved));
    assert_eq!(decode(header(FLAG_METADATA, 6, 7)), Ok(6));
    assert_eq!(decode(header(FLAG_ORDERED, 6, 7)), Ok(6));
}

#[test]
fn only_a_call_of_the_session_has_a_lane() {
    let call = |flags, body: &[u8]| {
        let header = Header { len: body.len() as u32, kind: Kind::Call, flags, behind: 0, xid: 7 }.encode();
        decoded(&[&header[..], body].concat(), &[]).map(|frames| match &frames[..] {
            [Frame::Call(call)] => call.turn(),
            frames => panic!("one call, not {frames:?}"),
        })
    };
    let body = |after: u8| [&[0; 8][..], &[9], &[0; 7], &[after], b"\x01a\x90"].concat();
    let what = |what| Err(Malformed::Body { kind: Kind::Call, what });
    assert_eq!(call(FLAG_ORDERED, &body(0)), Ok(Some(Turn { lane: 9, after: 0 })));
    assert_eq!(call(FLAG_ORDERED, &body(6)), Ok(Some(Turn { lane: 9, after: 6 })));
    assert_eq!(call(FLAG_ORDERED, &body(7)), what("comes after a call that is not before it"));
    assert_eq!(call(FLAG_ORDERED, &[0; 10]), what("lacks its place in a lane"));
    for other in [FLAG_ONE_WAY, FLAG_IDEMPOTENT, FLAG_CLIENT_STREAM, FLAG_SERVER_STREAM] {
        let flags = FLAG_ORDERED | other;
        assert_eq!(call(flags, &[0; 40]), Err(Malformed::Flags { kind: Kind::Call, flags }));
    }
}

#[test]
fn what_follows_the_fields_of_an_open_is_malformed() {
    let open = Open { client: [1; 16], incarnation: 1, server: 0, window: 8, secret: vec![2; 3].into() };
    let mut bytes = Vec::new();
    encode::open(&mut bytes, &open);
    assert_eq!(decoded(&bytes, &[]), Ok(vec![Frame::Open(open)]));
    bytes[3] += 1;
    bytes.push(0);
    let what = "is longer than its fields";
    assert_eq!(decoded(&bytes, &[]), Err(Malformed::Body { kind: Kind::Open, what }));
}

#[test]
fn what_streams_cannot_say_is_malformed() {
    let frame = |kind: u8, flags: u8, body: &[u8]| {
        let mut frame = Header { len: body.len() as u32, kind: Kind::Item, flags, behind: 0, xid: 1 }.encode();
        frame[4] = kind;
        decoded(&[&frame[..], body].concat(), &[])
    };
    let body = |kind, what| Err(Malformed::Body { kind, what });
    let (item, end, credit) = (Kind::Item as u8, Kind::End as u8, Kind::Credit as u8);
    assert_eq!(frame(item, 0, &[]), body(Kind::Item, "is empty"));
    assert_eq!(frame(item, 2, &[1]), Err(Malformed::Flags { kind: Kind::Item, flags: 2 }));
    assert_eq!(frame(end, 3, &[]), Err(Malformed::Flags { kind: Kind::End, flags: 3 }));
    assert_eq!(frame(end, 0, &[0]), body(Kind::End, "is longer than its fields"));
    assert_eq!(frame(credit, 0, &[0, 0, 0]), body(Kind::Credit, "lacks the credit"));
    assert_eq!(frame(credit, 0, &0_u32.to_be_bytes()), body(Kind::Credit, "gives hardly any credit"));
    assert_eq!(frame(credit, 0, &255_u32.to_be_bytes()), body(Kind::Credit, "gives hardly any credit"));
    assert_eq!(frame(credit, 0, &[0, 0, 1, 0, 0]), body(Kind::Credit, "is longer than its fields"));

    let call = |flags, body: &[u8]| frame(Kind::Call as u8, flags, body);
    for other in [FLAG_ONE_WAY, FLAG_IDEMPOTENT] {
        for stream in [FLAG_CLIENT_STREAM, FLAG_SERVER_STREAM] {
            let flags = other | stream;
            assert_eq!(call(flags, &[0; 40]), Err(Malformed::Flags { kind: Kind::Call, flags }));
        }
    }
    assert_eq!(call(FLAG_SERVER_STREAM, &[0; 10]), body(Kind::Call, "lacks the credit"));
    assert_eq!(call(FLAG_SERVER_STREAM, &[0; 40]), body(Kind::Call, "gives hardly any credit"));
}
