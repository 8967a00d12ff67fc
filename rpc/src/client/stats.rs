//! What has happened on a channel, counted.

use std::net::SocketAddr;
use std::time::Instant;

use super::calls::Status;
use super::endpoint::Endpoint;
use super::link::Link;

/// Counts of one channel, taken at one moment.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Calls made, one-way calls included. However often it was tried, a call counts once.
    pub calls: u64,
    /// Calls made once or again: those above, and the further attempts.
    pub attempts: u64,
    /// How often a call was [made again](super::retry), because a server had refused it or another was to be asked.
    pub retries: u64,
    /// How often a call got a second copy, because it took longer than nearly all others.
    pub hedges: u64,
    /// Calls that wait for their reply now.
    pub in_flight: usize,
    /// Replies that came after their caller had given up, and were dropped.
    pub late_replies: u64,
    /// Connections there have been, the present ones included.
    pub connections: u64,
    /// How often a server was left alone for a while, because it had failed several calls in a row.
    pub ejections: u64,
}

impl Stats {
    /// Adds what another link has counted.
    pub(super) fn add(&mut self, other: &Self) {
        let Self { calls, attempts, retries, hedges, in_flight, late_replies, connections, ejections } = other;
        self.calls += calls;
        self.attempts += attempts;
        self.retries += retries;
        self.hedges += hedges;
        self.in_flight += in_flight;
        self.late_replies += late_replies;
        self.connections += connections;
        self.ejections += ejections;
    }
}

/// One server of a channel, at one moment.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointStats {
    /// Its address: where the connection is, or was last.
    pub peer: SocketAddr,
    /// Whether there is a connection that takes calls.
    pub connected: bool,
    /// Whether it is left alone for a while, because it has failed several calls in a row.
    pub ejected: bool,
    /// Calls there that wait for their reply now.
    pub in_flight: usize,
    /// Calls that went there, since it last [went down](crate::wire::frame::GOAWAY_DRAINING).
    pub attempts: u64,
    /// How often it was left alone.
    pub ejections: u64,
}

impl EndpointStats {
    pub(super) fn of(endpoint: &Endpoint, link: &Link, now: Instant) -> Self {
        let stats = link.calls().stats();
        Self {
            peer: link.peer(),
            connected: link.calls().status() == Status::Up,
            ejected: !endpoint.admits(now),
            in_flight: stats.in_flight,
            attempts: stats.attempts,
            ejections: endpoint.ejections(),
        }
    }
}
