//! What a client makes of whatever a server sends: frames, by the rules for its calls and streams, and values.
//!
//! Input: bytes as they come from the server. The client has a window of calls outstanding, and a few streams.

#![no_main]

use std::collections::HashMap;

use fibra_rpc::codec::{self, Value};
use fibra_rpc::session::Window;
use fibra_rpc::stream::inbound::{Inbound, Taken};
use fibra_rpc::stream::outbound::{Next, Outbound};
use fibra_rpc::wire::decode::Decoder;
use fibra_rpc::wire::failure::Code;
use fibra_rpc::wire::frame::{Ending, Frame};
use libfuzzer_sys::fuzz_target;

const FRAME_BYTES_MAX: usize = 8 * 1024;
const STREAM_WINDOW: usize = 1024;
const WINDOW: usize = 16;

struct Stream {
    inbound: Inbound,
    outbound: Outbound,
    /// What may still come, and what may still be sent.
    credit: usize,
    granted: usize,
}

fuzz_target!(|bytes: &[u8]| {
    let mut decoder = Decoder::of(bytes.to_vec(), FRAME_BYTES_MAX);
    let mut window = Window::new(WINDOW);
    while window.open().is_some() {}
    let new = || Stream {
        inbound: Inbound::new(STREAM_WINDOW, FRAME_BYTES_MAX),
        outbound: Outbound::new(STREAM_WINDOW),
        credit: STREAM_WINDOW,
        granted: STREAM_WINDOW,
    };
    let mut streams: HashMap<u64, Stream> = (1..4).map(|xid| (xid, new())).collect();
    // Whatever is malformed ends the connection.
    while let Ok(Some(frame)) = decoder.next_frame() {
        if !take(&frame, &mut window, &mut streams) {
            break;
        }
    }
});

/// Whether the connection goes on.
fn take(frame: &Frame, window: &mut Window, streams: &mut HashMap<u64, Stream>) -> bool {
    match frame {
        Frame::Reply { xid, value } => {
            answered(window, *xid);
            let _ = codec::decode::<Value>(value);
            let _ = codec::decode::<Vec<String>>(value);
        }
        Frame::Failure { xid, code, message, details } => {
            answered(window, *xid);
            assert!(Code::from_wire(*code).is_none_or(|known| known as u8 == *code));
            let _ = String::from_utf8_lossy(message);
            let _ = codec::decode::<Value>(details);
        }
        Frame::Item { xid, more, piece } => {
            let Some(stream) = streams.get_mut(xid) else { return true };
            if stream.inbound.receive(piece, *more).is_err() {
                return false;
            }
            stream.credit = stream.credit.checked_sub(16 + piece.len()).expect("no item comes without credit");
            let mut item = Vec::new();
            if *xid == 1 || stream.credit < STREAM_WINDOW / 4 {
                while stream.inbound.take(&mut item) == Taken::Item {
                    let _ = codec::decode::<Value>(&item);
                    item.clear();
                }
                stream.credit += stream.inbound.grant().unwrap_or_default() as usize;
            }
            assert!(item.len() <= FRAME_BYTES_MAX && stream.credit <= STREAM_WINDOW);
        }
        Frame::Credit { xid, bytes } => {
            let Some(stream) = streams.get_mut(xid) else { return true };
            stream.granted += *bytes as usize;
            if stream.outbound.grant(*bytes).is_err() {
                return false;
            }
            for _ in 0..8 {
                let Next::Piece { len } = stream.outbound.next(FRAME_BYTES_MAX, false) else { break };
                stream.granted = stream.granted.checked_sub(16 + len).expect("nothing is sent without credit");
            }
        }
        Frame::End { xid, how } => {
            let Some(stream) = streams.get_mut(xid) else { return true };
            if *how == Ending::Stop {
                stream.outbound.stop();
                assert!(matches!(stream.outbound.next(1, false), Next::Over(_)));
            }
        }
        Frame::Call(_) | Frame::Cancel { .. } | Frame::Open(_) | Frame::GoAway { .. } => return false,
        Frame::Opened(_) | Frame::Ping { .. } | Frame::Pong { .. } | Frame::Acknowledge { .. } => {}
    }
    true
}

fn answered(window: &mut Window, xid: u64) {
    let was_outstanding = window.is_outstanding(xid);
    assert_eq!(window.complete(xid), was_outstanding);
    assert!(!window.is_outstanding(xid));
    while window.open().is_some() {}
    let outstanding = window.first_incomplete()..window.end();
    assert!(window.outstanding() <= WINDOW && outstanding.contains(&window.first_incomplete()));
}
