//! Frames and streams of them: what is written is what is read, however it arrives; and no bytes at all do harm.

use std::io::Write;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::limits::{MESSAGE_BYTES_MAX, READ_BYTES};
use crate::wire::bytes::Bytes;
use crate::wire::decode::Decoder;
use crate::wire::encode;
use crate::wire::frame::{Call, Frame, Ordered};
use crate::wire::header::{self, Header, Kind};

use super::random::{FRAME_BYTES_MAX, call, decoded, encoded, frame};

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
    fn random_bodies_never_panic(
        kind in 1..=Kind::Acknowledge as u8,
        flags in prop_oneof![0_u8..4, any::<u8>()],
        bytes in vec(any::<u8>(), 0..400),
    ) {
        let mut frame = Header { len: bytes.len() as u32, kind: Kind::Call, flags, behind: 0, xid: 1 }.encode();
        frame[4] = kind;
        if [Kind::GoAway, Kind::Open, Kind::Opened, Kind::Ping, Kind::Pong].map(|kind| kind as u8).contains(&kind) {
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
