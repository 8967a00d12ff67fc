//! What a connection of another protocol has sent and nobody has acted on.
//!
//! Invariants:
//! * The buffer grows with the bytes that arrive, at most to twice of them and a read, and is bounded by whoever looks for the end of a message in it.
//! * What has come in part has [so long](crate::server::Builder::frame_timeout) to come as a whole, however it drips, and counts among what all
//!   connections hold.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Instant;

use fibra_net::TcpStream;
use fibra_scheduler::clock;

use crate::buffered::Share;
use crate::limits::READ_BYTES;
use crate::server::accept::Context;

/// A buffer longer than this is let go once it has been read empty.
const KEPT_BYTES: usize = 4 * READ_BYTES;

/// See the [module](self).
pub(super) struct Input {
    buffer: Vec<u8>,
    /// What lies before it has been taken.
    start: usize,
    /// When the last bytes came.
    read_at: Instant,
    /// When the first of those came that are there in part.
    began: Option<Instant>,
    /// Bytes of it that have been taken already, and are held by who took them.
    beside: usize,
    share: Share,
    context: Arc<Context>,
}

/// Why nothing more is to be had.
#[derive(Debug)]
pub(super) enum Lost {
    Io(io::Error),
    /// It took too long.
    Slow,
    /// It holds more than its part, and all connections together more than they may.
    Full,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Slow => f.write_str("a message was not there as a whole in time"),
            Self::Full => f.write_str("the server's connections hold more than they may"),
        }
    }
}

impl Input {
    pub(super) fn new(context: &Arc<Context>, first: Vec<u8>, now: Instant) -> Self {
        let share = Share::new(Arc::clone(&context.load.buffered));
        Self { buffer: first, start: 0, read_at: now, began: None, beside: 0, share, context: Arc::clone(context) }
    }

    /// All that is there.
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// When the last of it came.
    pub(super) fn read_at(&self) -> Instant {
        self.read_at
    }

    /// Takes the first so many bytes: a whole message.
    pub(super) fn take(&mut self, count: usize) -> Vec<u8> {
        let message = self.bytes().get(..count).unwrap_or_default().to_vec();
        self.skip(count);
        message
    }

    /// As [`take`](Self::take), of what nobody wants.
    pub(super) fn skip(&mut self, count: usize) {
        self.start = (self.start + count).min(self.buffer.len());
        // What is behind it came later, though perhaps in the same read.
        self.began = None;
        self.share.set(0);
        if self.start == self.buffer.len() {
            self.start = 0;
            if self.buffer.capacity() > KEPT_BYTES {
                self.buffer = Vec::new();
            } else {
                self.buffer.clear();
            }
        }
    }

    /// Counts so many bytes that have been taken, of a message that is there in part: as if they were still here.
    pub(super) fn held_beside(&mut self, bytes: usize) {
        self.beside = bytes;
        self.share.set(bytes);
    }

    /// As [`skip`](Self::skip), of what is between messages.
    pub(super) fn skip_blanks(&mut self, count: usize) {
        if count > 0 {
            self.skip(count);
        }
    }

    /// Waits for more of a message; or for one to begin, however long that takes, unless there is a deadline for it. False: there is no more.
    pub(super) fn read(&mut self, mut stream: &TcpStream, deadline: Option<Instant>) -> Result<bool, Lost> {
        let mut deadline = deadline;
        if !self.bytes().is_empty() || self.beside > 0 {
            let began = *self.began.get_or_insert(self.read_at);
            let whole_by = began.checked_add(self.context.frame_timeout);
            deadline = deadline.into_iter().chain(whole_by).min();
            self.hold()?;
        }
        self.make_space();
        let filled = self.buffer.len();
        // No more than that, however much is there: who sends by the byte must not have a megabyte cleared for each.
        let space = if filled < KEPT_BYTES { READ_BYTES } else { KEPT_BYTES };
        self.buffer.resize(filled + space, 0);
        let read = loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(clock::now()));
            if left.is_some_and(|left| left.is_zero()) {
                break Err(io::ErrorKind::TimedOut.into());
            }
            if let Err(error) = stream.set_read_timeout(left) {
                break Err(error);
            }
            match stream.read(&mut self.buffer[filled..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(filled + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(count) => {
                self.read_at = clock::now();
                Ok(count > 0)
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut && deadline.is_some() => Err(Lost::Slow),
            Err(error) => Err(Lost::Io(error)),
        }
    }

    /// Counts what is there, and looks whether it may be.
    fn hold(&mut self) -> Result<(), Lost> {
        let bytes = self.buffer.len() + self.beside;
        self.share.set(bytes);
        let buffered = &self.context.load.buffered;
        let may = !buffered.is_over() || bytes <= buffered.fair(self.context.roster.len());
        if may { Ok(()) } else { Err(Lost::Full) }
    }

    fn make_space(&mut self) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
    }
}
