//! In which directions items travel while a method runs, and how a service gets at them.

use std::fmt;
use std::sync::Arc;

use crate::stream::{Carrier, Duplex, Receiver, Sender};

/// The streams that a method has besides its arguments and its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Streams {
    /// None: a plain call.
    #[default]
    None,
    /// The client sends items: the method takes a [`Receiver`].
    Client,
    /// The server sends items: the method takes a [`Sender`].
    Server,
    /// Both do.
    Both,
}

impl Streams {
    /// The one with streams in these directions.
    pub const fn of(client: bool, server: bool) -> Self {
        match (client, server) {
            (false, false) => Self::None,
            (true, false) => Self::Client,
            (false, true) => Self::Server,
            (true, true) => Self::Both,
        }
    }

    /// Whether the client sends items.
    pub const fn client(self) -> bool {
        matches!(self, Self::Client | Self::Both)
    }

    /// Whether the server sends items.
    pub const fn server(self) -> bool {
        matches!(self, Self::Server | Self::Both)
    }
}

impl fmt::Display for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no stream",
            Self::Client => "a stream of the client's",
            Self::Server => "a stream of the server's",
            Self::Both => "streams in both directions",
        })
    }
}

/// The streams of a call, until its service asks for them.
pub(crate) struct CallStreams {
    duplex: Arc<Duplex>,
    carrier: Arc<dyn Carrier>,
    window: usize,
    wants_receiver: bool,
    wants_sender: bool,
}

impl CallStreams {
    /// A receiver will have a window of so many bytes.
    pub(crate) fn new(duplex: Arc<Duplex>, carrier: Arc<dyn Carrier>, window: usize, streams: Streams) -> Self {
        Self { duplex, carrier, window, wants_receiver: streams.client(), wants_sender: streams.server() }
    }

    pub(crate) fn receiver<T>(&mut self) -> Option<Receiver<T>> {
        std::mem::take(&mut self.wants_receiver)
            .then(|| Receiver::new(Arc::clone(&self.duplex), Arc::clone(&self.carrier), self.window))
    }

    pub(crate) fn sender<T>(&mut self) -> Option<Sender<T>> {
        std::mem::take(&mut self.wants_sender)
            .then(|| Sender::new(Arc::clone(&self.duplex), Arc::clone(&self.carrier), None))
    }
}

impl fmt::Debug for CallStreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallStreams").field("xid", &self.duplex.xid()).finish_non_exhaustive()
    }
}
