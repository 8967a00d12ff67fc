//! [`Receiver`]: takes the items that a client sends.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::{Carrier, Duplex, StreamError};
use crate::codec;

/// Takes the items that a client sends, one after the other: an iterator for handlers.
///
/// It waits for the next, and ends when the client has [finished](super::Sender::finish). All else is an error, so that a handler does not
/// take half of what was meant for the whole:
///
/// ```
/// use fibra_rpc::stream::{Receiver, StreamError};
///
/// fn sum(numbers: Receiver<i64>) -> Result<i64, StreamError> {
///     let mut sum = 0;
///     for number in numbers {
///         sum += number?;
///     }
///     Ok(sum)
/// }
/// # let _ = sum;
/// ```
///
/// A handler that drops it before the end lets the client's sender fail with [`Stopped`](StreamError::Stopped).
pub struct Receiver<T> {
    duplex: Arc<Duplex>,
    carrier: Arc<dyn Carrier>,
    /// The window to have once something is waited for.
    window: Option<usize>,
    /// The item that is being put together.
    item: Vec<u8>,
    ended: bool,
    items: PhantomData<fn() -> T>,
}

impl<T> Receiver<T> {
    pub(crate) fn new(duplex: Arc<Duplex>, carrier: Arc<dyn Carrier>, window: usize) -> Self {
        Self { duplex, carrier, window: Some(window), item: Vec::new(), ended: false, items: PhantomData }
    }
}

impl<T: DeserializeOwned> Receiver<T> {
    /// Takes the next item, and waits for it if need be; `None` after the last.
    ///
    /// # Errors
    ///
    /// * [`StreamError::Abandoned`]: the client's sender was dropped before it had finished.
    /// * [`StreamError::CallEnded`], [`StreamError::Disconnected`]: the client has gone.
    /// * [`StreamError::TimedOut`], [`StreamError::Cancelled`]: the wait was cut.
    /// * [`StreamError::Item`]: what came is no `T`. The next may be.
    /// * [`StreamError::Overloaded`]: nobody could be found to read on.
    pub fn recv(&mut self) -> Result<Option<T>, StreamError> {
        if let Some(window) = self.window.take() {
            self.duplex.widen(window);
        }
        if !self.duplex.recv(&*self.carrier, &mut self.item, None)? {
            return Ok(None);
        }
        let item = codec::decode(&self.item).map_err(|error| StreamError::Item(error.to_string()));
        reuse(&mut self.item);
        item.map(Some)
    }
}

/// Empties a buffer, and lets go of one that was needed for a long item.
pub(crate) fn reuse(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.shrink_to(crate::limits::READ_BYTES);
}

/// Ends after the last item, and after the first error.
impl<T: DeserializeOwned> Iterator for Receiver<T> {
    type Item = Result<T, StreamError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = self.recv().transpose();
        self.ended = !matches!(item, Some(Ok(_)));
        item
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.duplex.stop(&*self.carrier);
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("xid", &self.duplex.xid()).finish_non_exhaustive()
    }
}
