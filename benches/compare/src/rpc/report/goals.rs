//! What fibra's RPC is to reach, and whether this run shows it.
//!
//! All goals are for a server and a client on a CPU each. Those that refer to the floor are told in up to three ways, as
//! [`rpc`](crate::rpc) explains: fibra's server and client beside the floor and its client, both servers with the bare client, and both
//! with fibra's.

use serde::Serialize;

use crate::options::Placement;
use crate::rpc::results::{Figure, P50, Results, SERVER_CPU};
use crate::rpc::shape::Shape;

/// Ways to tell, as heads of columns.
pub(crate) const WAYS: [&str; 3] = ["own clients", "bare client", "fibra's client"];

/// A goal.
#[derive(Serialize)]
pub(crate) struct Goal {
    pub(crate) what: &'static str,
    pub(crate) bound: Bound,
    /// What was measured, in each of the [ways](WAYS) that there are.
    pub(crate) measured: [Option<f64>; 3],
}

/// What a figure is to be.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    /// So many times as much, or less.
    TimesAtMost(f64),
    /// So many times as much, or more.
    TimesAtLeast(f64),
    NanosAtMost(f64),
    BytesAtMost(f64),
}

impl Bound {
    pub(crate) fn is_met(self, value: f64) -> bool {
        match self {
            Bound::TimesAtMost(bound) | Bound::NanosAtMost(bound) | Bound::BytesAtMost(bound) => value <= bound,
            Bound::TimesAtLeast(bound) => value >= bound,
        }
    }

    /// A figure in the unit of the bound.
    pub(crate) fn write(self, value: f64) -> String {
        match self {
            Bound::TimesAtMost(_) | Bound::TimesAtLeast(_) => format!("{value:.2}x"),
            Bound::NanosAtMost(_) => format!("{value:.0} ns"),
            Bound::BytesAtMost(_) => format!("{value:.0} B"),
        }
    }

    pub(crate) fn text(self) -> String {
        match self {
            Bound::TimesAtMost(bound) | Bound::NanosAtMost(bound) | Bound::BytesAtMost(bound) => {
                format!("at most {}", self.write(bound))
            }
            Bound::TimesAtLeast(bound) => format!("at least {}", self.write(bound)),
        }
    }
}

/// A figure, and whether it meets the goal.
pub(crate) fn verdict(bound: Bound, value: f64) -> String {
    format!("{} {}", bound.write(value), if bound.is_met(value) { "met" } else { "NOT MET" })
}

/// All goals of which something was measured.
pub(crate) fn goals(results: &Results) -> Vec<Goal> {
    let quotient = |shape, of: &str, base: &str, figure: Figure| {
        let (of, base) = (results.index(of)?, results.index(base)?);
        results.group(Placement::Pinned, shape)?.quotient(of, base, figure)
    };
    let beside_the_floor = |shape, figure| {
        [
            quotient(shape, "fibra", "floor", figure),
            quotient(shape, "fibra-raw", "floor", figure),
            quotient(shape, "fibra", "floor-proxy", figure),
        ]
    };
    let of_a_peer = |peer| {
        let many = Shape::Outstanding256;
        [quotient(many, peer, "fibra", SERVER_CPU), quotient(many, peer, "fibra-raw", SERVER_CPU), None]
    };
    let deduplication = || {
        let (with, without) = (results.index("fibra-raw")?, results.index("fibra-idempotent")?);
        let group = results.group(Placement::Pinned, Shape::Outstanding256)?;
        Some(group.difference(with, without, SERVER_CPU)? * 1e3)
    };
    let idle = results.index("fibra").and_then(|fibra| results.subjects[fibra].idle_bytes());
    let goals = [
        Goal {
            what: "256 outstanding: server CPU, tarpc (bincode) over fibra",
            bound: Bound::TimesAtLeast(8.0),
            measured: of_a_peer("tarpc-bincode"),
        },
        Goal {
            what: "256 outstanding: server CPU, tonic over fibra",
            bound: Bound::TimesAtLeast(40.0),
            measured: of_a_peer("tonic"),
        },
        Goal {
            what: "256 outstanding: server CPU, fibra over the floor",
            bound: Bound::TimesAtMost(2.0),
            measured: beside_the_floor(Shape::Outstanding256, SERVER_CPU),
        },
        Goal {
            what: "64 connections: server CPU, fibra over the floor",
            bound: Bound::TimesAtMost(1.15),
            measured: beside_the_floor(Shape::Connections64, SERVER_CPU),
        },
        Goal {
            what: "1 caller: median latency, fibra over the floor",
            bound: Bound::TimesAtMost(1.1),
            measured: beside_the_floor(Shape::OneCaller, P50),
        },
        Goal {
            what: "256 outstanding: server CPU for deduplication",
            bound: Bound::NanosAtMost(100.0),
            measured: [None, deduplication(), None],
        },
        Goal {
            what: "resident for an idle connection",
            bound: Bound::BytesAtMost(512.0),
            measured: [idle, None, None],
        },
    ];
    goals.into_iter().filter(|goal| goal.measured.iter().any(Option::is_some)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_met_at_the_bound() {
        assert_eq!(verdict(Bound::TimesAtMost(2.0), 2.0), "2.00x met");
        assert_eq!(verdict(Bound::TimesAtMost(2.0), 2.01), "2.01x NOT MET");
        assert_eq!(verdict(Bound::TimesAtLeast(8.0), 7.9), "7.90x NOT MET");
        assert_eq!(Bound::BytesAtMost(512.0).text(), "at most 512 B");
    }
}
