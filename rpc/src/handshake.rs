//! The one frame that each side reads before a connection is open, and no byte of the next.
//!
//! Invariant: a peer that is not known yet can make this side hold at most [`FRAME_BYTES_MAX`] and a header.

use std::io::{self, Read};

use crate::limits::MESSAGE_BYTES_MAX;
use crate::wire::decode::Decoder;
use crate::wire::frame::Frame;
use crate::wire::header::{self, Malformed};

/// Longest body of an open, an opened or a goaway; that of a goaway is the longest.
const FRAME_BYTES_MAX: usize = 1 + MESSAGE_BYTES_MAX;

/// Reads one frame.
///
/// # Errors
///
/// Those of `stream`; within, what is wrong with the frame.
pub(crate) fn read_frame(mut stream: impl Read) -> io::Result<Result<Frame, Malformed>> {
    let mut header = [0; header::LEN];
    stream.read_exact(&mut header)?;
    let [l0, l1, l2, l3, ..] = header;
    let len = usize::try_from(u32::from_be_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
    let mut bytes = header.to_vec();
    if len <= FRAME_BYTES_MAX {
        bytes.resize(header::LEN + len, 0);
        stream.read_exact(&mut bytes[header::LEN..])?;
    }
    // One that is too long is cut here, and refused there.
    match Decoder::of(bytes, FRAME_BYTES_MAX).next_frame() {
        Ok(Some(frame)) => Ok(Ok(frame)),
        // Not so: all of it was read.
        Ok(None) => Err(io::ErrorKind::UnexpectedEof.into()),
        Err(malformed) => Ok(Err(malformed)),
    }
}
