//! What few connections have: one word in the connection until the first of it is needed.

use std::cell::{Cell, OnceCell};
use std::io;
use std::net::SocketAddrV6;

use super::super::held::HeldCalls;
use super::super::streams::Streams;
use super::Connection;

/// See the [module](self).
#[derive(Default)]
pub(super) struct Extras {
    /// Made when the first call streams.
    pub(super) streams: OnceCell<Box<Streams>>,
    /// Made when the first call has a lane.
    pub(super) held: OnceCell<Box<HeldCalls>>,
    /// Why there was no fiber to take the role, until that is logged.
    pub(super) refused: Cell<Option<io::Error>>,
    /// That has been logged, once a connection.
    pub(super) warned: Cell<bool>,
    /// A fiber writes what the peer did not take at once.
    pub(super) draining: Cell<bool>,
    /// It gets back in line when fewer calls wait at the server.
    pub(super) awaits_room: Cell<bool>,
    /// Where the peer is, if that is of IPv6.
    pub(super) peer: Option<SocketAddrV6>,
}

impl Connection {
    pub(super) fn extras(&self) -> &Extras {
        self.extras.get_or_init(Box::default)
    }

    /// The calls that wait for their turn, if there have ever been any.
    #[inline]
    pub(super) fn held(&self) -> Option<&HeldCalls> {
        self.extras.get()?.held.get().map(|held| &**held)
    }

    /// Why there was no fiber to take the role, if that has not been logged.
    pub(super) fn take_refused(&self) -> Option<io::Error> {
        self.extras.get()?.refused.take()
    }
}
