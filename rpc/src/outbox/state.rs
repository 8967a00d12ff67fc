//! What an [outbox](super) holds: the frames that are queued, those that have been taken to be written, and who is to be told of what becomes of them.

use std::mem;

use fibra_scheduler::park::Unparker;

use super::Queued;
use crate::buffered::Share;
use crate::limits::FLUSH_BYTES;
use crate::waiters::Waiters;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) queued: Vec<u8>,
    /// What was taken from `queued` to be written; with the flusher, while there is one.
    pub(super) batch: Vec<u8>,
    /// How much of `batch` has been written.
    pub(super) written: usize,
    pub(super) flushing: bool,
    /// Bytes of the batch that the flusher has in hand and has not written.
    pub(super) writing: usize,
    /// Bytes ever queued: where in the stream `queued` ends.
    pub(super) end: u64,
    /// The operating system has at most the first so many bytes of the stream.
    pub(super) exposed: u64,
    pub(super) closed: bool,
    /// No more is to come; what is queued is still to be written.
    pub(super) finished: bool,
    pub(super) room: Waiters,
    /// As of when a write last stopped half way, and since, until all is written.
    pub(super) share: Share,
    /// The fiber that does nothing but write, if this connection has one.
    pub(super) writer: Option<Unparker>,
}

impl State {
    /// Whether it takes no more frames.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.closed || self.finished
    }

    #[inline]
    pub(super) fn push(&mut self, frames: &mut Vec<u8>) {
        self.end += frames.len() as u64;
        if self.queued.is_empty() {
            mem::swap(&mut self.queued, frames);
        } else {
            self.queued.append(frames);
        }
        self.count();
    }

    #[inline]
    pub(super) fn push_copy(&mut self, frame: &[u8]) -> Queued {
        self.end += frame.len() as u64;
        self.queued.extend_from_slice(frame);
        self.count();
        Queued { end: self.end }
    }

    /// While there is something that was not written at once, all that is buffered counts.
    #[inline]
    pub(super) fn count(&mut self) {
        if self.share.is_some() && !self.closed {
            let buffered = self.buffered();
            self.share.set(buffered);
        }
    }

    #[inline]
    pub(super) fn buffered(&self) -> usize {
        self.queued.len() + self.writing + self.batch.len().saturating_sub(self.written)
    }

    /// Makes `batch` what is to be written next; false if there is nothing.
    #[inline]
    pub(super) fn next_batch(&mut self) -> bool {
        if self.written < self.batch.len() {
            return true;
        }
        self.written = 0;
        self.batch.clear();
        if self.batch.capacity() > FLUSH_BYTES {
            self.batch = Vec::new();
        }
        mem::swap(&mut self.batch, &mut self.queued);
        !self.batch.is_empty()
    }
}
