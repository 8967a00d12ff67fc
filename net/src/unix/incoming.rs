//! A Unix server's accept loop.

use std::io;

use super::{UnixListener, UnixStream};
use crate::accept_loop::AcceptLoop;

/// The connections that a [`UnixListener`] accepts; made by [`incoming`](UnixListener::incoming).
///
/// It outlives what may pass, as TCP's does: see [`Incoming`](crate::Incoming).
///
/// # Differences from std
///
/// std yields those errors, and a loop that ignores them spins. An error that is yielded here (the fiber was cancelled, the
/// listener was shut down) is the last item, but for a non-blocking listener's `WouldBlock`.
#[derive(Debug)]
#[must_use = "iterators are lazy: without a loop over it, nothing is accepted"]
pub struct Incoming<'a> {
    listener: &'a UnixListener,
    state: AcceptLoop,
}

impl<'a> Incoming<'a> {
    pub(super) fn new(listener: &'a UnixListener) -> Self {
        Self { listener, state: AcceptLoop::new() }
    }
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<UnixStream>;

    fn next(&mut self) -> Option<Self::Item> {
        self.state.next(|| Ok(self.listener.accept()?.0))
    }
}

impl std::iter::FusedIterator for Incoming<'_> {}

impl<'a> IntoIterator for &'a UnixListener {
    type Item = io::Result<UnixStream>;
    type IntoIter = Incoming<'a>;

    fn into_iter(self) -> Incoming<'a> {
        self.incoming()
    }
}
