//! How a call with streams begins: on a connection, or in this process.

use std::sync::Arc;

use super::super::Way;
use super::super::chosen::Stay;
use super::super::connection::Connection;
use super::super::endpoint::Endpoints;
use super::super::exchange::Exchange;
use super::super::local;
use super::super::streams::Stream;
use crate::error::{CallError, Disconnect, Executed};
use crate::limits::{Limits, STREAM_CREDIT_INITIAL};
use crate::metadata::Metadata;
use crate::outbox::Outbox;
use crate::server::Local;
use crate::stream::{Carrier, Share};

const INITIAL: usize = STREAM_CREDIT_INITIAL as usize;

/// A call that has begun. Dropping it gives the call up, unless it has ended, and counts it out.
pub(super) struct Begun {
    pub(super) at: At,
    pub(super) stream: Arc<Stream>,
    pub(super) carrier: Arc<dyn Carrier>,
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.stream.duplex().give_up(&*self.carrier);
        self.stream.give_up();
        let At::Server { stay, connection, .. } = &mut self.at else { return };
        stay.link().calls().closed(connection, &self.stream);
        let is_lost = || connection.cause().is_some();
        let success = self.stream.is_refused().map(|is_refused| !is_refused).or_else(|| is_lost().then_some(false));
        stay.fared(success);
    }
}

/// Where it goes.
pub(super) enum At {
    Server {
        stay: Stay,
        connection: Arc<Connection>,
        /// Held for its window.
        _share: Share,
    },
    Here {
        local: Arc<Local>,
        _share: Share,
    },
}

impl At {
    pub(super) fn connection(&self) -> Option<&Arc<Connection>> {
        match self {
            Self::Server { connection, .. } => Some(connection),
            Self::Here { .. } => None,
        }
    }
}

/// Why nothing more comes on that connection, or from this process.
pub(super) fn cause(connection: Option<&Arc<Connection>>) -> Disconnect {
    match connection {
        Some(connection) => connection.cause().unwrap_or(Disconnect::ClosedByPeer),
        None => Disconnect::RuntimeEnded,
    }
}

/// Begins a call with these encoded `args`.
pub(super) fn begin(exchange: &Exchange<'_>, way: &Way, args: &[u8], metadata: &Metadata) -> Result<Begun, CallError> {
    match way {
        Way::Remote(endpoints) => open(exchange, endpoints, args, metadata),
        Way::Local(local) => open_here(exchange, local, args, metadata),
    }
}

/// Sends the call to a server, with what its window may have there. One that takes no calls any more is left for another: it has not got this one.
fn open(
    exchange: &Exchange<'_>,
    endpoints: &Arc<Endpoints>,
    args: &[u8],
    metadata: &Metadata,
) -> Result<Begun, CallError> {
    let wanted = wanted(exchange, &endpoints.common().settings.limits);
    loop {
        let chosen = exchange.choose(endpoints)?;
        let share = chosen.take_stream_bytes(wanted);
        if let Some((stream, connection)) = exchange.open(&chosen, args, metadata, INITIAL + share.bytes())? {
            let carrier = ClientCarrier { connection: Arc::clone(&connection), _open: Arc::clone(endpoints) };
            let at = At::Server { stay: chosen.stay(endpoints), connection, _share: share };
            return Ok(Begun { at, stream, carrier: Arc::new(carrier) });
        }
    }
}

/// Has the call run in this process.
fn open_here(
    exchange: &Exchange<'_>,
    local: &Arc<Local>,
    args: &[u8],
    metadata: &Metadata,
) -> Result<Begun, CallError> {
    if !fibra_scheduler::in_fiber() {
        let message = "it streams, which takes a fiber for its handler: here is no runtime".to_owned();
        return Err(CallError::Refused { callee: exchange.callee(), message, executed: Executed::No });
    }
    let share = local.caller_shares().take(wanted(exchange, local.limits()), local.limits().stream_bytes);
    let window = INITIAL + share.bytes();
    let frame = exchange.opening(args, metadata, window)?;
    let opened = local::stream::open(local, frame, exchange.method().streams(), window, exchange.deadline());
    let (stream, carrier) = opened.map_err(|error| {
        let message = format!("its handler has no fiber: {error}");
        CallError::Overloaded { callee: exchange.callee(), message, pushback: None }
    })?;
    Ok(Begun { at: At::Here { local: Arc::clone(local), _share: share }, stream, carrier })
}

/// What the caller's window is to have beyond [`INITIAL`].
fn wanted(exchange: &Exchange<'_>, limits: &Limits) -> usize {
    if exchange.method().streams().server() { limits.stream_window - INITIAL } else { 0 }
}

/// How the frames of a client's streams are written: by the connection's writer fiber. Keeps that open.
struct ClientCarrier {
    connection: Arc<Connection>,
    _open: Arc<Endpoints>,
}

impl Carrier for ClientCarrier {
    fn outbox(&self) -> &Outbox {
        self.connection.outbox()
    }

    fn write_soon(&self, _queued_bytes: usize) {
        self.connection.outbox().wake_writer();
    }
}
