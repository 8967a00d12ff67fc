//! How calls are made: by how many callers, over how many connections.

use serde::Serialize;

/// A closed loop: whoever has an answer calls again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Shape {
    /// One call at a time: latency.
    OneCaller,
    /// 64 callers share a connection.
    SharedBy64,
    /// 64 connections, each with one call at a time.
    Connections64,
    /// One connection with 256 calls under way.
    Outstanding256,
}

impl Shape {
    pub(crate) const ALL: [Shape; 4] =
        [Shape::OneCaller, Shape::SharedBy64, Shape::Connections64, Shape::Outstanding256];

    pub(crate) fn connections(self) -> usize {
        if self == Shape::Connections64 { 64 } else { 1 }
    }

    /// Calls under way on each connection.
    pub(crate) fn outstanding(self) -> usize {
        match self {
            Shape::OneCaller | Shape::Connections64 => 1,
            Shape::SharedBy64 => 64,
            Shape::Outstanding256 => 256,
        }
    }

    /// Where people read.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Shape::OneCaller => "1 caller",
            Shape::SharedBy64 => "64 callers, 1 connection",
            Shape::Connections64 => "64 connections",
            Shape::Outstanding256 => "256 outstanding, 1 connection",
        }
    }
}
