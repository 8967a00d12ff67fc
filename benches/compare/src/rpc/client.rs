//! A client process: it takes orders as lines of JSON from its input and answers each with a line.
//!
//! ```text
//! Connect { total }         have so many connections, each of which has made a call   done
//! Exchange { callers, .. }  these callers on each are to make so many calls each      done
//! Start { callers }         these callers on each are to call and call ...            (nothing)
//! Count                     ... of which from now on ...                              done
//! Stop                      ... until now are counted                                 Calls
//! ```

use std::io::{self, BufRead, Write};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::peers::{self, Kind, Peer};
use super::shape::Callers;
use super::window::Window;
use crate::placement;
use crate::serve::folder_for_servers;

/// What the parent asks for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    Connect { total: usize },
    Exchange { calls: u64, callers: Callers },
    Start { callers: Callers },
    Count,
    Stop,
}

/// The answer to an order that has no other.
pub(crate) const DONE: &str = "done";

/// One peer's client.
pub(crate) trait Client {
    /// Opens connections until there are `total`, and makes a call on each new one.
    fn connect(&mut self, total: usize) -> io::Result<()>;

    /// Calls by `callers` on each connection, until `load` [ends](Load::goes_on) for each.
    fn call(&mut self, callers: Callers, load: &Arc<Load>) -> io::Result<()>;
}

/// How long to call.
pub(crate) enum Load {
    /// Until the window is over.
    Until(Window),
    /// So many times by each caller.
    Times(u64),
}

impl Load {
    /// Whether a caller that has made `made` calls is to make another.
    pub(crate) fn goes_on(&self, made: u64) -> bool {
        match self {
            Load::Until(window) => !window.is_over(),
            Load::Times(calls) => made < *calls,
        }
    }
}

/// `fibra-compare call`
#[derive(Args)]
pub(crate) struct Arguments {
    #[arg(value_parser = peers::parser())]
    peer: &'static Peer,
    #[arg(long)]
    server: SocketAddr,
    #[arg(long)]
    cpu: Option<usize>,
    #[arg(long)]
    program: Option<PathBuf>,
    #[arg(long)]
    parent: u32,
}

/// Follows orders until there are no more.
pub(crate) fn run(arguments: Arguments) -> io::Result<()> {
    placement::end_with(arguments.parent)?;
    if let Some(cpu) = arguments.cpu {
        placement::pin_to(cpu)?;
    }
    placement::raise_descriptor_limit()?;
    let workers = thread::available_parallelism()?.get();
    match &arguments.peer.kind {
        Kind::Here { call, .. } => call(arguments.server, workers),
        Kind::Apart { build, argument } => {
            let program = arguments.program.map_or_else(|| build(&folder_for_servers()?), Ok)?;
            let server = arguments.server.to_string();
            Err(Command::new(program).args(["call", argument]).arg(workers.to_string()).arg(server).exec())
        }
    }
}

/// Has `client` follow the orders.
pub(crate) fn follow(client: &mut dyn Client) -> io::Result<()> {
    while let Some(order) = next_order()? {
        match order {
            Order::Connect { total } => {
                client.connect(total)?;
                say(DONE)?;
            }
            Order::Exchange { calls, callers } => {
                client.call(callers, &Arc::new(Load::Times(calls)))?;
                say(DONE)?;
            }
            Order::Start { callers } => {
                let load = Arc::new(Load::Until(Window::default()));
                let conducted = Arc::clone(&load);
                // While the callers call, someone else has to listen.
                let conductor = thread::spawn(move || conduct(&conducted));
                client.call(callers, &load)?;
                conductor.join().map_err(|_| io::Error::other("the conductor panicked"))??;
            }
            Order::Count | Order::Stop => return Err(io::Error::other("nothing has been started")),
        }
    }
    Ok(())
}

fn conduct(load: &Load) -> io::Result<()> {
    let Load::Until(window) = load else { return Ok(()) };
    let mut began = window.begin();
    loop {
        match next_order()? {
            Some(Order::Count) => {
                began = window.begin();
                say(DONE)?;
            }
            // Without orders the parent is gone, and so is this process.
            Some(Order::Stop) | None => {
                let calls = window.end(began);
                return say(&serde_json::to_string(&calls)?);
            }
            Some(order) => return Err(io::Error::other(format!("not while calls are counted: {order:?}"))),
        }
    }
}

fn next_order() -> io::Result<Option<Order>> {
    match io::stdin().lock().lines().next() {
        None => Ok(None),
        Some(line) => Ok(Some(serde_json::from_str(&line?)?)),
    }
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
