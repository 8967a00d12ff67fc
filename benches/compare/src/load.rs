//! The client process: one thread, one epoll, many connections; cheaper than any server that it talks to.
//!
//! It takes orders as lines of JSON from its input and answers each with a line of JSON, so that the parent can look at the server
//! in between.
//!
//! * **Closed loop**: each connection has one request under way, always. What this measures is throughput; its latencies are those
//!   of a server that is never idle.
//! * **Open loop**: requests are due at a constant rate, whatever the server does. A latency counts from when the request was due, not
//!   from when it could be sent, so a server that stalls pays for everyone who meanwhile waited (no coordinated omission).

mod closed;
mod connection;
mod measurement;
mod open;

use std::io::{self, BufRead, Write};
use std::net::SocketAddr;

use clap::Args;
use serde::{Deserialize, Serialize};

pub(crate) use measurement::{LONGEST, Latency, Load};

use crate::placement;
use crate::serve::Workload;
use connection::Connections;

/// What the parent asks for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Have so many connections, each of which has been served once.
    Connect { total: usize },
    /// Measure in a closed loop. Answered by a [`Load`].
    Closed { warm_up: f64, seconds: f64 },
    /// Measure at `rate` requests a second. Answered by a [`Load`]. The last order, since the server may be left behind.
    Open { rate: f64, warm_up: f64, seconds: f64 },
    /// Make so many requests on each connection, in a closed loop.
    Exchange { each: u64 },
}

/// `fibra-compare load`
#[derive(Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    server: SocketAddr,
    /// Whose CPU time is measured
    #[arg(long)]
    server_pid: u32,
    #[arg(long)]
    workload: Workload,
    #[arg(long)]
    cpu: Option<usize>,
    #[arg(long)]
    parent: u32,
}

/// Follows orders until there are no more.
pub(crate) fn run(arguments: &Arguments) -> io::Result<()> {
    placement::end_with(arguments.parent)?;
    if let Some(cpu) = arguments.cpu {
        placement::pin_to(cpu)?;
    }
    placement::raise_descriptor_limit()?;
    let mut connections = Connections::new(arguments.server, arguments.workload)?;
    let server = arguments.server_pid;
    for line in io::stdin().lock().lines() {
        let load = match serde_json::from_str(&line?)? {
            Order::Connect { total } => connections.open(total).map(|()| None),
            Order::Exchange { each } => closed::exchange(&mut connections, each).map(|()| None),
            Order::Closed { warm_up, seconds } => closed::measure(&mut connections, server, warm_up, seconds).map(Some),
            Order::Open { rate, warm_up, seconds } => {
                open::measure(&mut connections, server, rate, warm_up, seconds).map(Some)
            }
        }?;
        let mut out = io::stdout().lock();
        writeln!(out, "{}", serde_json::to_string(&load)?)?;
        out.flush()?;
    }
    Ok(())
}
