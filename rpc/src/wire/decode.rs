//! Bytes to frames: the input half of a connection, without its socket.
//!
//! ```text
//!              start             end                 chunk.len()
//!   ┌────────────┬────────────────┬──────────────────────┐
//!   │ taken      │ unread         │ space()              │   one buffer, shared with the frames taken from it
//!   └────────────┴────────────────┴──────────────────────┘
//! ```
//!
//! Invariants:
//! * How the bytes were split when they arrived makes no difference to the frames.
//! * The buffer grows with the bytes received, not by what a header announces.
//! * After an error the decoder gives the same error for ever: there is no next frame to find.

use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use super::bytes::Bytes;
use super::frame::{Call, Ending, Frame, Open, Opened, Ordered};
use super::header::{
    self, FLAG_ABANDONED, FLAG_CLIENT_STREAM, FLAG_IDEMPOTENT, FLAG_METADATA, FLAG_MORE, FLAG_ONE_WAY, FLAG_ORDERED,
    FLAG_RESUMED, FLAG_SERVER_STREAM, FLAG_STOP, Header, Kind, Malformed,
};
use crate::limits::{READ_BYTES, STREAM_CREDIT_MIN};

/// A buffer longer than this is let go once it has been read empty.
const KEPT_BYTES: usize = 4 * READ_BYTES;

/// Bytes before the name in the body of a call without anything beside its arguments: its timeout, and the name's length.
const PLAIN_CALL_FIELDS: usize = 9;

/// A call's place in a lane.
const ORDERED_LEN: usize = 9;

/// Bytes before the metadata: its length.
const METADATA_LEN: usize = 2;

/// Turns a byte stream into frames.
///
/// ```
/// use fibra_rpc::wire::{decode::Decoder, encode, frame::Frame};
///
/// let mut bytes = Vec::new();
/// encode::cancel(&mut bytes, 7);
///
/// let mut decoder = Decoder::new(1024);
/// decoder.space()[..bytes.len()].copy_from_slice(&bytes);
/// decoder.filled(bytes.len());
/// assert_eq!(decoder.next_frame(), Ok(Some(Frame::Cancel { xid: 7 })));
/// assert_eq!(decoder.next_frame(), Ok(None));
/// ```
#[derive(Debug)]
pub struct Decoder {
    chunk: Rc<Vec<u8>>,
    start: usize,
    end: usize,
    frame_bytes_max: usize,
}

impl Decoder {
    /// A decoder that accepts bodies of up to `frame_bytes_max`.
    pub fn new(frame_bytes_max: usize) -> Self {
        Self { chunk: Rc::default(), start: 0, end: 0, frame_bytes_max }
    }

    /// The same, of bytes that are there already.
    pub fn of(bytes: Vec<u8>, frame_bytes_max: usize) -> Self {
        Self { start: 0, end: bytes.len(), chunk: Rc::new(bytes), frame_bytes_max }
    }

    /// Where the next bytes go; never empty. Say how many came with [`filled`](Self::filled).
    pub fn space(&mut self) -> &mut [u8] {
        let unread = self.end - self.start;
        let len = self.chunk.len();
        let oversized = unread == 0 && len > KEPT_BYTES;
        // With half the buffer unread it is time for a larger one; else what is unread moves to the front.
        let wanted = if oversized { READ_BYTES } else { len.max(2 * unread).max(READ_BYTES) };
        match Rc::get_mut(&mut self.chunk) {
            Some(chunk) if !oversized => {
                if unread == 0 || len - self.end < READ_BYTES / 2 {
                    chunk.copy_within(self.start..self.end, 0);
                    (self.start, self.end) = (0, unread);
                    chunk.resize(wanted, 0);
                }
            }
            // A frame still holds the buffer, or it is larger than an idle connection should keep.
            _ => {
                let mut chunk = Vec::with_capacity(wanted);
                chunk.extend_from_slice(&self.chunk[self.start..self.end]);
                chunk.resize(wanted, 0);
                self.chunk = Rc::new(chunk);
                (self.start, self.end) = (0, unread);
            }
        }
        let end = self.end;
        // The match above left the buffer unshared: this neither clones nor fails.
        &mut Rc::make_mut(&mut self.chunk)[end..]
    }

    /// `count` bytes have been put at the start of [`space`](Self::space).
    pub fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.chunk.len());
    }

    /// Bytes of memory that it holds.
    pub fn held_bytes(&self) -> usize {
        self.chunk.capacity()
    }

    /// Whether a frame has arrived in part.
    pub fn is_mid_frame(&self) -> bool {
        self.start < self.end
    }

    /// The next whole frame, or `None` until more bytes arrive.
    ///
    /// # Errors
    ///
    /// [`Malformed`]: the stream is not this protocol, and the connection is to be closed.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, Malformed> {
        let Some((header, body)) = self.peek()? else { return Ok(None) };
        let end = body.end;
        let frame = self.parse(&header, body)?;
        self.start = end;
        Ok(Some(frame))
    }

    /// The next frame, if it is whole and a call without anything beside its arguments: as [`next_frame`](Self::next_frame) gives it, in a
    /// quarter of the time. `None` says nothing.
    #[inline(always)] // So that it is made where it is wanted.
    pub(crate) fn next_plain_call(&mut self) -> Option<Call> {
        let unread = self.chunk.get(self.start..self.end)?;
        let (head, _) = unread.split_first_chunk::<{ header::LEN + PLAIN_CALL_FIELDS }>()?;
        let [l0, l1, l2, l3, kind, flags, b0, b1, x0, x1, x2, x3, x4, x5, x6, x7, timeout @ .., name] = *head;
        let xid = u64::from_be_bytes([x0, x1, x2, x3, x4, x5, x6, x7]);
        let behind = u16::from_be_bytes([b0, b1]);
        let idempotent = flags == FLAG_IDEMPOTENT;
        let is_plain =
            kind == Kind::Call as u8 && (flags == 0 || (idempotent && behind == 0)) && u64::from(behind) < xid;
        let len = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        let is_whole = len <= self.frame_bytes_max && len <= unread.len() - header::LEN;
        let has_name = name != 0 && PLAIN_CALL_FIELDS + usize::from(name) <= len;
        if !(is_plain && is_whole && has_name) {
            return None;
        }
        let method = self.start + head.len();
        let args = method + usize::from(name);
        let end = self.start + header::LEN + len;
        self.start = end;
        Some(Call {
            xid,
            behind,
            one_way: false,
            idempotent,
            ordered: None,
            client_stream: false,
            server_stream: None,
            timeout: Duration::from_micros(u64::from_be_bytes(timeout)),
            metadata: None,
            method: Bytes::new(&self.chunk, method..args),
            args: Bytes::new(&self.chunk, args..end),
        })
    }

    /// Takes back that `call`, which does not stream, has been taken: it is the next frame again. To be called before anything else is.
    pub(crate) fn put_back(&mut self, call: &Call) {
        let metadata = call.metadata.as_ref().map_or(0, |metadata| METADATA_LEN + metadata.len());
        let ordered = if call.ordered.is_some() { ORDERED_LEN } else { 0 };
        self.start -= header::LEN + PLAIN_CALL_FIELDS + ordered + metadata + call.method.len() + call.args.len();
    }

    /// The xids of the cancels among the whole frames that have not been taken, in order.
    ///
    /// So a cancel can overtake the call it cancels, when both were read at once.
    pub fn cancels(&self) -> impl Iterator<Item = u64> {
        // Only lengths and kinds are looked at: a header that is malformed will be found in its turn.
        let mut rest = self.chunk.get(self.start..self.end).unwrap_or_default();
        std::iter::from_fn(move || {
            while let Some((&[l0, l1, l2, l3, kind, _, _, _, ref xid @ ..], behind)) =
                rest.split_first_chunk::<{ header::LEN }>()
            {
                rest = behind.get(u32::from_be_bytes([l0, l1, l2, l3]) as usize..)?;
                if kind == Kind::Cancel as u8 {
                    return Some(u64::from_be_bytes(*xid));
                }
            }
            None
        })
    }

    /// The next header, with where its body lies, once both are there.
    fn peek(&self) -> Result<Option<(Header, Range<usize>)>, Malformed> {
        let unread = &self.chunk[self.start..self.end];
        let Some((bytes, rest)) = unread.split_first_chunk::<{ header::LEN }>() else { return Ok(None) };
        let header = Header::decode(bytes)?;
        let len = usize::try_from(header.len).unwrap_or(usize::MAX);
        if len > self.frame_bytes_max {
            return Err(Malformed::TooLong { len: header.len.into(), max: self.frame_bytes_max });
        }
        if rest.len() < len {
            return Ok(None);
        }
        let body = self.start + header::LEN;
        Ok(Some((header, body..body + len)))
    }

    fn parse(&self, header: &Header, body: Range<usize>) -> Result<Frame, Malformed> {
        let xid = header.xid;
        let mut fields = Fields { chunk: &self.chunk, kind: header.kind, rest: body };
        Ok(match header.kind {
            Kind::Call => {
                let timeout = Duration::from_micros(u64::from_be_bytes(fields.array("lacks the timeout")?));
                let client_stream = header.flags & FLAG_CLIENT_STREAM != 0;
                let server_stream = header.flags & FLAG_SERVER_STREAM != 0;
                if (client_stream || server_stream) && header.flags & (FLAG_ONE_WAY | FLAG_IDEMPOTENT) != 0 {
                    return Err(Malformed::Flags { kind: header.kind, flags: header.flags });
                }
                let ordered = if header.flags & FLAG_ORDERED == 0 { None } else { Some(fields.ordered(header)?) };
                let metadata = if header.flags & FLAG_METADATA == 0 {
                    None
                } else {
                    let len = u16::from_be_bytes(fields.array("lacks the metadata's length")?);
                    Some(fields.bytes(len.into(), "is shorter than its metadata")?)
                };
                let server_stream = if server_stream { Some(fields.credit()?) } else { None };
                let [name] = fields.array("lacks the method name's length")?;
                if name == 0 {
                    return Err(fields.malformed("has an empty method name"));
                }
                let method = fields.bytes(name.into(), "is shorter than its method name")?;
                let one_way = header.flags & FLAG_ONE_WAY != 0;
                let idempotent = header.flags & FLAG_IDEMPOTENT != 0;
                let behind = header.behind;
                let args = fields.remaining();
                Frame::Call(Call {
                    xid,
                    behind,
                    one_way,
                    idempotent,
                    ordered,
                    client_stream,
                    server_stream,
                    timeout,
                    metadata,
                    method,
                    args,
                })
            }
            Kind::Reply => Frame::Reply { xid, value: fields.remaining() },
            Kind::Failure => {
                let [code] = fields.array("lacks the code")?;
                let message = u16::from_be_bytes(fields.array("lacks the message's length")?);
                let message = fields.bytes(message.into(), "is shorter than its message")?;
                Frame::Failure { xid, code, message, details: fields.remaining() }
            }
            Kind::Cancel => {
                fields.end()?;
                Frame::Cancel { xid }
            }
            Kind::GoAway => {
                let [code] = fields.array("lacks the code")?;
                Frame::GoAway { code, message: fields.remaining() }
            }
            Kind::Open => {
                let client = fields.array("lacks the client")?;
                let incarnation = u64::from_be_bytes(fields.array("lacks the incarnation")?);
                let server = u64::from_be_bytes(fields.array("lacks the server's incarnation")?);
                let window = u16::from_be_bytes(fields.array("lacks the window")?);
                let [secret] = fields.array("lacks the secret's length")?;
                let secret = fields.bytes(secret.into(), "is shorter than its secret")?;
                fields.end()?;
                Frame::Open(Open { client, incarnation, server, window, secret })
            }
            Kind::Opened => {
                let resumed = header.flags & FLAG_RESUMED != 0;
                let incarnation = u64::from_be_bytes(fields.array("lacks the incarnation")?);
                let window = u16::from_be_bytes(fields.array("lacks the window")?);
                let lease = u32::from_be_bytes(fields.array("lacks the lease")?);
                fields.end()?;
                Frame::Opened(Opened { resumed, incarnation, window, lease })
            }
            Kind::Item => {
                if fields.rest.is_empty() {
                    return Err(fields.malformed("is empty"));
                }
                Frame::Item { xid, more: header.flags & FLAG_MORE != 0, piece: fields.remaining() }
            }
            Kind::End => {
                fields.end()?;
                let how = match header.flags {
                    0 => Ending::Finished,
                    FLAG_ABANDONED => Ending::Abandoned,
                    FLAG_STOP => Ending::Stop,
                    flags => return Err(Malformed::Flags { kind: header.kind, flags }),
                };
                Frame::End { xid, how }
            }
            Kind::Credit => {
                let bytes = fields.credit()?;
                fields.end()?;
                Frame::Credit { xid, bytes }
            }
            Kind::Ping | Kind::Pong => {
                let echo = u64::from_be_bytes(fields.array("lacks the echo")?);
                fields.end()?;
                if header.kind == Kind::Ping { Frame::Ping { echo } } else { Frame::Pong { echo } }
            }
            Kind::Acknowledge => Frame::Acknowledge { first_incomplete: xid, wanted: fields.wanted(xid)? },
        })
    }
}

/// Takes the fields off a body, one after the other.
struct Fields<'a> {
    chunk: &'a Rc<Vec<u8>>,
    kind: Kind,
    rest: Range<usize>,
}

impl Fields<'_> {
    #[inline]
    fn take(&mut self, len: usize, what: &'static str) -> Result<Range<usize>, Malformed> {
        if self.rest.len() < len {
            return Err(self.malformed(what));
        }
        let field = self.rest.start..self.rest.start + len;
        self.rest.start = field.end;
        Ok(field)
    }

    #[inline]
    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Malformed> {
        let field = self.take(N, what)?;
        self.chunk[field].try_into().map_err(|_| self.malformed(what))
    }

    #[inline]
    fn bytes(&mut self, len: usize, what: &'static str) -> Result<Bytes, Malformed> {
        self.take(len, what).map(|field| Bytes::new(self.chunk, field))
    }

    /// The xids up to the end, in order, from 1 to before `first_incomplete`.
    #[cold]
    fn wanted(&mut self, first_incomplete: u64) -> Result<Vec<u64>, Malformed> {
        let mut wanted = Vec::with_capacity(self.rest.len() / 8);
        let mut last = 0;
        while !self.rest.is_empty() {
            let xid = u64::from_be_bytes(self.array("ends within an xid")?);
            if xid <= last || xid >= first_incomplete {
                return Err(self.malformed("names xids out of order"));
            }
            wanted.push(xid);
            last = xid;
        }
        Ok(wanted)
    }

    /// Only a call of the session has a place in a lane, and none comes after one that is not before it.
    #[cold]
    fn ordered(&mut self, header: &Header) -> Result<Ordered, Malformed> {
        if header.flags & !(FLAG_ORDERED | FLAG_METADATA) != 0 {
            return Err(Malformed::Flags { kind: header.kind, flags: header.flags });
        }
        let [lane] = self.array("lacks its lane")?;
        let after = u64::from_be_bytes(self.array("lacks its place in a lane")?);
        if after >= header.xid {
            return Err(self.malformed("comes after a call that is not before it"));
        }
        Ok(Ordered { lane, after })
    }

    /// Less than the least says so little that it can only be meant to keep us busy.
    fn credit(&mut self) -> Result<u32, Malformed> {
        let bytes = u32::from_be_bytes(self.array("lacks the credit")?);
        if bytes < STREAM_CREDIT_MIN { Err(self.malformed("gives hardly any credit")) } else { Ok(bytes) }
    }

    fn end(&self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.malformed("is longer than its fields")) }
    }

    #[inline]
    fn remaining(self) -> Bytes {
        Bytes::new(self.chunk, self.rest)
    }

    #[cold]
    fn malformed(&self, what: &'static str) -> Malformed {
        Malformed::Body { kind: self.kind, what }
    }
}
