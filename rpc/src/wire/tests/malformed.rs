//! What is not the protocol is told from it, and named.

use crate::session::Turn;
use crate::wire::decode::Decoder;
use crate::wire::encode;
use crate::wire::frame::{Frame, Open};
use crate::wire::header::{
    self, FLAG_CLIENT_STREAM, FLAG_IDEMPOTENT, FLAG_METADATA, FLAG_ONE_WAY, FLAG_ORDERED, FLAG_SERVER_STREAM, Header,
    Kind, Malformed,
};
use crate::wire::preface;

use super::random::{FRAME_BYTES_MAX, decoded};

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
