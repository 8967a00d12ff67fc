//! Frames to bytes: each function appends one frame to a buffer.
//!
//! Wire format: `docs/wire-format.md`, "Frames".
//!
//! Invariant: a buffer only ever holds whole frames. A body that grows over its limit, or whose encoding fails or
//! panics, is taken back out.

use std::io;
use std::time::Duration;

use super::failure::Code;
use super::frame::{Ending, Open, Opened};
use super::header::{
    self, FLAG_ABANDONED, FLAG_METADATA, FLAG_MORE, FLAG_ORDERED, FLAG_RESUMED, FLAG_SERVER_STREAM, FLAG_STOP, Header,
    Kind,
};
use crate::limits::{MESSAGE_BYTES_MAX, METHOD_NAME_BYTES_MAX};
use crate::metadata::Metadata;
use crate::session::Lane;

/// Where the timeout of a call lies in its frame: first in the body.
const TIMEOUT_AT: usize = header::LEN;

/// Where that of an ordered call says which one it comes after: behind the timeout and the lane.
const AFTER_AT: usize = TIMEOUT_AT + 9;

/// Begins a call with these flags of [`header`]; the arguments are to follow. [`stamp_call`] fills in the xid and the timeout.
///
/// The name is at most [`METHOD_NAME_BYTES_MAX`] long: the service attribute sees to it, and what is longer is cut, so
/// that the server will not know it.
pub fn call<'a>(out: &'a mut Vec<u8>, method: &str, flags: u8, bytes_max: usize) -> Body<'a> {
    const NONE: &Metadata = &Metadata::new();
    call_with(out, method, flags, None, NONE, None, bytes_max)
}

/// As [`call`], with a place in that lane, if any, which [`stamp_turn`] fills in; with metadata, and with so much credit for the server's items, if
/// there are to be any.
pub fn call_with<'a>(
    out: &'a mut Vec<u8>,
    method: &str,
    flags: u8,
    lane: Option<Lane>,
    metadata: &Metadata,
    server_stream: Option<u32>,
    bytes_max: usize,
) -> Body<'a> {
    let flags = if server_stream.is_some() { flags | FLAG_SERVER_STREAM } else { flags };
    let flags = if lane.is_some() { flags | FLAG_ORDERED } else { flags };
    let flags = if metadata.is_empty() { flags } else { flags | FLAG_METADATA };
    let mut body = Body::begin(out, Kind::Call, flags, 0, bytes_max);
    let method = cut(method, METHOD_NAME_BYTES_MAX);
    body.push(&[0; 8]);
    if let Some(lane) = lane {
        body.push(&[lane, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    if !metadata.is_empty() {
        // It is never longer than its limit, which two bytes can say.
        body.push(&u16::try_from(metadata.encoded_len()).unwrap_or(u16::MAX).to_be_bytes());
        metadata.encode(|piece| body.push(piece));
    }
    if let Some(credit) = server_stream {
        body.push(&credit.to_be_bytes());
    }
    body.push(&[u8::try_from(method.len()).unwrap_or(u8::MAX)]);
    body.push(method.as_bytes());
    body
}

/// Completes the call at the start of `frame`, once it is known under which xid, with which acknowledgement, and for how long it goes
/// out.
pub fn stamp_call(frame: &mut [u8], xid: u64, behind: u16, timeout: Duration) {
    let micros = u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX);
    if let Some(field) = frame.get_mut(6..8) {
        field.copy_from_slice(&behind.to_be_bytes());
    }
    if let Some(field) = frame.get_mut(8..header::LEN) {
        field.copy_from_slice(&xid.to_be_bytes());
    }
    if let Some(field) = frame.get_mut(TIMEOUT_AT..TIMEOUT_AT + 8) {
        field.copy_from_slice(&micros.to_be_bytes());
    }
}

/// Completes the ordered call at the start of `frame`: the xid of the one that it comes after, 0 if there is none.
pub fn stamp_turn(frame: &mut [u8], after: u64) {
    if let Some(field) = frame.get_mut(AFTER_AT..AFTER_AT + 8) {
        field.copy_from_slice(&after.to_be_bytes());
    }
}

/// Begins a reply; its value is to follow.
#[inline]
pub fn reply(out: &mut Vec<u8>, xid: u64, bytes_max: usize) -> Body<'_> {
    Body::begin(out, Kind::Reply, 0, xid, bytes_max)
}

/// Begins a failure; the details may follow.
pub fn failure<'a>(out: &'a mut Vec<u8>, xid: u64, code: Code, message: &str, bytes_max: usize) -> Body<'a> {
    // Never more than half a frame: there must be room for the details.
    let message = cut(message, MESSAGE_BYTES_MAX.min(bytes_max / 2));
    let mut body = Body::begin(out, Kind::Failure, 0, xid, bytes_max);
    body.push(&[code as u8]);
    body.push(&u16::try_from(message.len()).unwrap_or(u16::MAX).to_be_bytes());
    body.push(message.as_bytes());
    body
}

/// A whole acknowledge: of all calls before `first_incomplete`, but for those `wanted`, which are in order.
pub fn acknowledge(out: &mut Vec<u8>, first_incomplete: u64, wanted: impl IntoIterator<Item = u64>) {
    let mut body = Body::begin(out, Kind::Acknowledge, 0, first_incomplete, usize::MAX);
    wanted.into_iter().for_each(|xid| body.push(&xid.to_be_bytes()));
    // It cannot be too large: fewer than a window are wanted.
    let _ = body.finish();
}

/// A whole cancel.
pub fn cancel(out: &mut Vec<u8>, xid: u64) {
    out.extend_from_slice(&Header { len: 0, kind: Kind::Cancel, flags: 0, behind: 0, xid }.encode());
}

/// Begins an item; its value is to follow.
pub fn item(out: &mut Vec<u8>, xid: u64, bytes_max: usize) -> Body<'_> {
    Body::begin(out, Kind::Item, 0, xid, bytes_max)
}

/// A whole piece of an item, of at most 4 GiB.
pub fn piece(out: &mut Vec<u8>, xid: u64, piece: &[u8], more: bool) {
    let len = u32::try_from(piece.len()).unwrap_or(u32::MAX);
    let flags = if more { FLAG_MORE } else { 0 };
    out.extend_from_slice(&Header { len, kind: Kind::Item, flags, behind: 0, xid }.encode());
    out.extend_from_slice(piece);
}

/// A whole end.
pub fn end(out: &mut Vec<u8>, xid: u64, how: Ending) {
    let flags = match how {
        Ending::Finished => 0,
        Ending::Abandoned => FLAG_ABANDONED,
        Ending::Stop => FLAG_STOP,
    };
    out.extend_from_slice(&Header { len: 0, kind: Kind::End, flags, behind: 0, xid }.encode());
}

/// A whole credit.
pub fn credit(out: &mut Vec<u8>, xid: u64, bytes: u32) {
    out.extend_from_slice(&Header { len: 4, kind: Kind::Credit, flags: 0, behind: 0, xid }.encode());
    out.extend_from_slice(&bytes.to_be_bytes());
}

/// A whole goaway.
pub fn goaway(out: &mut Vec<u8>, code: u8, message: &str) {
    let mut body = Body::begin(out, Kind::GoAway, 0, 0, usize::MAX);
    body.push(&[code]);
    body.push(cut(message, MESSAGE_BYTES_MAX).as_bytes());
    // It cannot be too large: its message was cut.
    let _ = body.finish();
}

/// A whole open. Its secret is at most 255 bytes long; what is longer is cut.
pub fn open(out: &mut Vec<u8>, open: &Open) {
    let secret = open.secret.get(..u8::MAX.into()).unwrap_or(&open.secret);
    let mut body = Body::begin(out, Kind::Open, 0, 0, usize::MAX);
    body.push(&open.client);
    body.push(&open.incarnation.to_be_bytes());
    body.push(&open.server.to_be_bytes());
    body.push(&open.window.to_be_bytes());
    body.push(&[u8::try_from(secret.len()).unwrap_or(u8::MAX)]);
    body.push(secret);
    let _ = body.finish();
}

/// A whole opened.
pub fn opened(out: &mut Vec<u8>, opened: &Opened) {
    let flags = if opened.resumed { FLAG_RESUMED } else { 0 };
    let mut body = Body::begin(out, Kind::Opened, flags, 0, usize::MAX);
    body.push(&opened.incarnation.to_be_bytes());
    body.push(&opened.window.to_be_bytes());
    body.push(&opened.lease.to_be_bytes());
    let _ = body.finish();
}

/// A whole ping, to be answered with the same `echo`.
pub fn ping(out: &mut Vec<u8>, echo: u64) {
    eight(out, Kind::Ping, echo);
}

/// A whole pong: the answer to the ping with this `echo`.
pub fn pong(out: &mut Vec<u8>, echo: u64) {
    eight(out, Kind::Pong, echo);
}

fn eight(out: &mut Vec<u8>, kind: Kind, value: u64) {
    out.extend_from_slice(&Header { len: 8, kind, flags: 0, behind: 0, xid: 0 }.encode());
    out.extend_from_slice(&value.to_be_bytes());
}

/// The longest prefix of `text` that is at most `max` bytes long.
fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

/// A frame whose body is being written. Dropped without [`finish`](Self::finish), it leaves no trace in the buffer.
#[derive(Debug)]
pub struct Body<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    /// How many bytes more it may have.
    left: usize,
    over: bool,
    finished: bool,
}

impl<'a> Body<'a> {
    #[inline]
    fn begin(out: &'a mut Vec<u8>, kind: Kind, flags: u8, xid: u64, bytes_max: usize) -> Self {
        let start = out.len();
        out.extend_from_slice(&Header { len: 0, kind, flags, behind: 0, xid }.encode());
        // The header's length field has 32 bits.
        let left = bytes_max.min(u32::MAX as usize);
        Self { out, start, left, over: false, finished: false }
    }

    #[inline]
    fn len(&self) -> usize {
        self.out.len() - self.start - header::LEN
    }

    /// Appends to the body.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        match self.left.checked_sub(bytes.len()) {
            Some(left) => {
                self.left = left;
                self.out.extend_from_slice(bytes);
            }
            // What is shorter does not fit either, or its middle would be missing.
            None => (self.over, self.left) = (true, 0),
        }
    }

    /// Writes the body's length into its header.
    ///
    /// # Errors
    ///
    /// [`TooLarge`] if the body grew over its limit.
    #[inline]
    pub fn finish(mut self) -> Result<(), TooLarge> {
        let len = u32::try_from(self.len()).ok().filter(|_| !self.over).ok_or(TooLarge)?;
        if let Some(field) = self.out.get_mut(self.start..self.start + 4) {
            field.copy_from_slice(&len.to_be_bytes());
        }
        self.finished = true;
        Ok(())
    }

    /// Whether the body has grown over its limit, so that it will not [`finish`](Self::finish).
    #[inline]
    pub fn is_too_large(&self) -> bool {
        self.over
    }
}

impl io::Write for Body<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        // Stops a serializer at the limit, rather than after a gigabyte.
        if self.over { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes.len()) }
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write(bytes).map(drop)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Body<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.finished {
            self.out.truncate(self.start);
        }
    }
}

/// A body grew over its frame limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

impl std::fmt::Display for TooLarge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the body is over the frame limit")
    }
}

impl std::error::Error for TooLarge {}
