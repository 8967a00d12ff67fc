//! How calls are made: by how many callers, over how many connections.

use serde::{Deserialize, Serialize};

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
    /// One connection with 256 calls under way, all of one caller if its client can do that.
    Outstanding256,
}

/// Those who call on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Callers {
    pub(crate) number: usize,
    /// Calls that each has under way.
    pub(crate) outstanding: usize,
}

impl Callers {
    /// Calls under way on the connection.
    pub(crate) fn calls(self) -> usize {
        self.number * self.outstanding
    }
}

impl Shape {
    pub(crate) const ALL: [Shape; 4] =
        [Shape::OneCaller, Shape::SharedBy64, Shape::Connections64, Shape::Outstanding256];

    pub(crate) fn connections(self) -> usize {
        if self == Shape::Connections64 { 64 } else { 1 }
    }

    /// Who calls on each connection.
    pub(crate) fn callers(self) -> Callers {
        match self {
            Shape::OneCaller | Shape::Connections64 => Callers { number: 1, outstanding: 1 },
            Shape::SharedBy64 => Callers { number: 64, outstanding: 1 },
            Shape::Outstanding256 => Callers { number: 1, outstanding: 256 },
        }
    }

    /// In names of files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Shape::OneCaller => "one-caller",
            Shape::SharedBy64 => "64-callers",
            Shape::Connections64 => "64-connections",
            Shape::Outstanding256 => "256-outstanding",
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
