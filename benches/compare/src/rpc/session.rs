//! The parent's view of a client of an RPC server, and what its calls cost the server.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::process::{ChildStdin, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::client::{DONE, Order};
use super::peers::Peer;
use super::shape::Callers;
use super::window::Calls;
use crate::children::{Process, Server};
use crate::load::Load;
use crate::meters::{cpu_time_of, cpu_time_of_all};

/// Starts a peer's server.
pub(crate) fn serve(peer: &Peer, program: Option<&OsStr>, cpu: Option<usize>) -> io::Result<Server> {
    let mut arguments = ["serve-rpc", peer.name].map(OsStr::new).to_vec();
    if let Some(program) = program {
        arguments.extend([OsStr::new("--program"), program]);
    }
    Server::listening(&arguments, cpu)
}

/// A client of one server.
pub(crate) struct Session {
    process: Process,
    orders: ChildStdin,
    server_pid: u32,
}

/// All meters at one moment.
struct Reading {
    now: Instant,
    server: Duration,
    client: Duration,
    all: Duration,
}

impl Session {
    pub(crate) fn start(
        peer: &Peer,
        program: Option<&OsStr>,
        server: &Server,
        cpu: Option<usize>,
    ) -> io::Result<Session> {
        let address = server.address().to_string();
        let mut arguments = ["call", peer.name, "--server", &address].map(OsStr::new).to_vec();
        if let Some(program) = program {
            arguments.extend([OsStr::new("--program"), program]);
        }
        let mut process = Process::start(&arguments, cpu, Stdio::piped())?;
        let orders = process.take_input()?;
        Ok(Session { process, orders, server_pid: server.pid() })
    }

    pub(crate) fn connect(&mut self, total: usize) -> io::Result<()> {
        self.order(&Order::Connect { total })?;
        self.done()
    }

    /// Makes `calls` calls by each of `callers` on each connection.
    pub(crate) fn exchange(&mut self, calls: u64, callers: Callers) -> io::Result<()> {
        self.order(&Order::Exchange { calls, callers })?;
        self.done()
    }

    /// Has `callers` call on each connection, and measures after `warm_up` seconds for `seconds`. Calls go on until the last
    /// meter has been read, so what is read is never of a server that has less to do.
    pub(crate) fn measure(&mut self, callers: Callers, warm_up: f64, seconds: f64) -> io::Result<Load> {
        self.order(&Order::Start { callers })?;
        thread::sleep(Duration::from_secs_f64(warm_up));
        self.order(&Order::Count)?;
        self.done()?;
        let from = self.read()?;
        thread::sleep(Duration::from_secs_f64(seconds));
        let to = self.read()?;
        self.order(&Order::Stop)?;
        let calls: Calls = serde_json::from_str(&self.process.line()?)?;

        let seconds = (to.now - from.now).as_secs_f64();
        let busy = |from: Duration, to: Duration| to.saturating_sub(from).as_secs_f64() / seconds;
        let (server, client) = (busy(from.server, to.server), busy(from.client, to.client));
        Ok(Load {
            requests_per_second: calls.per_second,
            rate: None,
            latency: calls.latency,
            server_cpu_us: server * 1e6 / calls.per_second.max(1.0),
            server_busy: server,
            client_busy: client,
            others_busy: (busy(from.all, to.all) - server - client).max(0.0),
            unanswered: 0,
        })
    }

    fn read(&self) -> io::Result<Reading> {
        Ok(Reading {
            server: cpu_time_of(self.server_pid)?,
            client: cpu_time_of(self.process.pid())?,
            all: cpu_time_of_all()?,
            now: Instant::now(),
        })
    }

    fn order(&mut self, order: &Order) -> io::Result<()> {
        let sent = writeln!(self.orders, "{}", serde_json::to_string(order)?);
        // If this fails, the client ended, and what it said is the better error.
        sent.or_else(|error| self.process.line().and(Err(error)))
    }

    fn done(&mut self) -> io::Result<()> {
        match self.process.line()?.trim() {
            DONE => Ok(()),
            line => Err(io::Error::other(format!("the client said: {line}"))),
        }
    }
}
