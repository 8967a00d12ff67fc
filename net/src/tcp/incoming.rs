//! A TCP server's accept loop.

use std::io;

use super::{TcpListener, TcpStream};
use crate::accept_loop::AcceptLoop;

/// The connections that a [`TcpListener`] accepts; made by [`incoming`](TcpListener::incoming).
///
/// Out of descriptors or memory (`EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`, or a firewall's `EPERM`), it sleeps for 1 ms, doubling up
/// to 50 ms while that lasts, and goes on; the connections wait in the backlog meanwhile. A connection that was aborted
/// before it was accepted is skipped.
///
/// # Differences from std
///
/// std yields those errors, and a loop that ignores them spins. An error that is yielded here (the fiber was cancelled, the
/// listener was shut down) is the last item, but for a non-blocking listener's `WouldBlock`.
#[derive(Debug)]
#[must_use = "iterators are lazy: without a loop over it, nothing is accepted"]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
    state: AcceptLoop,
}

impl<'a> Incoming<'a> {
    pub(super) fn new(listener: &'a TcpListener) -> Self {
        Self { listener, state: AcceptLoop::new() }
    }
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<Self::Item> {
        self.state.next(|| Ok(self.listener.accept()?.0))
    }
}

impl std::iter::FusedIterator for Incoming<'_> {}
