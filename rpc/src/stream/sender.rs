//! [`Sender`]: sends the items of a stream.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use super::{Carrier, Duplex, StreamError};
use crate::codec::{self, EncodeError};
use crate::scratch;
use crate::wire::encode;
use crate::wire::frame::Ending;

/// Sends the items of a stream: a handler's to its caller, or a caller's to the handler.
///
/// It waits while the receiver has as much as it wants to hold. Several fibers may share it, by reference: items are sent whole, in the
/// order in which they are sent.
///
/// In a handler, what is sent comes before what the handler returns, and nothing has to be said at the end. At the client, which has its
/// sender from [`Streaming::split`](crate::client::Streaming::split), [`finish`](Self::finish) says that this was all; a sender that is
/// dropped before tells the handler [`Abandoned`](StreamError::Abandoned), so that half an upload is not taken for a whole one.
pub struct Sender<T> {
    duplex: Arc<Duplex>,
    carrier: Arc<dyn Carrier>,
    deadline: Option<Instant>,
    items: PhantomData<fn(T)>,
}

impl<T> Sender<T> {
    pub(crate) fn new(duplex: Arc<Duplex>, carrier: Arc<dyn Carrier>, deadline: Option<Instant>) -> Self {
        Self { duplex, carrier, deadline, items: PhantomData }
    }

    /// Says that there are no more items. Does not wait.
    pub fn finish(self) {
        self.duplex.finish(&*self.carrier, Ending::Finished);
    }
}

impl<T: Serialize> Sender<T> {
    /// Sends an item; waits while there is no credit for it.
    ///
    /// Should the wait be cut when a part of an item has left, which happens only to those that are longer than the receiver's window, then
    /// nothing more can be sent.
    ///
    /// # Errors
    ///
    /// * [`StreamError::CallEnded`], [`StreamError::Disconnected`]: nobody waits for it any more.
    /// * [`StreamError::Stopped`]: the handler takes no more items.
    /// * [`StreamError::Finished`]: this stream has ended before.
    /// * [`StreamError::TimedOut`], [`StreamError::Cancelled`]: the wait was cut.
    /// * [`StreamError::Item`], [`StreamError::TooLarge`]: it was not sent, and others can be.
    /// * [`StreamError::Overloaded`]: in a handler, nobody could be found to read on.
    pub fn send(&self, item: T) -> Result<(), StreamError> {
        send(&self.duplex, &*self.carrier, &item, self.deadline)
    }
}

pub(crate) fn send<T: Serialize>(
    duplex: &Duplex,
    carrier: &dyn Carrier,
    item: &T,
    deadline: Option<Instant>,
) -> Result<(), StreamError> {
    let max = duplex.frame_bytes_max();
    let mut frame = scratch::take();
    let mut body = encode::item(&mut frame, duplex.xid(), max);
    let encoded = codec::encode(&mut body, item);
    let encoded = encoded.and_then(|()| body.finish().map_err(|_| EncodeError::TooLarge));
    let sent = match encoded {
        Ok(()) => duplex.send(carrier, &mut frame, deadline),
        Err(EncodeError::TooLarge) => Err(StreamError::TooLarge(max as u64)),
        Err(EncodeError::Serialize(reason)) => Err(StreamError::Item(reason)),
    };
    scratch::give(frame);
    sent
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.duplex.finish(&*self.carrier, Ending::Abandoned);
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("xid", &self.duplex.xid()).finish_non_exhaustive()
    }
}
