//! The accept loop, as a fiber or as a thread, and how it is stopped.
//!
//! Which failures of `accept` the loop outlives is `fibra_net`'s policy: see [`Incoming`](fibra_net::Incoming).
//!
//! Invariant: [`Acceptor::wait`] returns however the loop ends, also if it panics or never gets to run.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use fibra_net::{TcpListener, TcpStream};
use fibra_scheduler::cancel;
use fibra_scheduler::park::{self, Reason};
use parking_lot::Mutex;

use super::connection;
use super::drain::DrainStage;
use super::foreign::guests::Guests;
use super::leaders::Leaders;
use super::load::Load;
use super::registry::Registry;
use super::roster::{Refused, Roster, Task};
use super::store::{Chosen, Store};
use crate::dialect::Dialects;
use crate::health::Health;
use crate::limits::Limits;
use crate::metrics::{self, Metrics, text::Gauges};
use crate::middleware::Chain;
use crate::waiters::Waiters;

/// What serves a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Fibers,
    Threads,
}

/// What all connections of a server share.
pub(super) struct Context {
    pub(super) registry: Registry,
    pub(super) limits: Limits,
    pub(super) roster: Arc<Roster>,
    pub(super) leaders: Arc<Leaders>,
    pub(super) sessions: Arc<Chosen>,
    pub(super) middleware: Chain,
    /// Where calls are counted, if they are.
    pub(super) metrics: Option<Arc<Metrics>>,
    pub(super) stage: DrainStage,
    pub(super) load: Load,
    pub(super) queue_delay_max: Duration,
    pub(super) frame_timeout: Duration,
    pub(super) dialects: Dialects,
    /// Full names by the names of methods that one service has.
    pub(super) bare_names: HashMap<String, String>,
    /// The connections that speak another protocol.
    pub(super) guests: Guests,
    pub(super) json_rpc_path: String,
    /// `None`: nobody is to be told.
    pub(super) health: Option<Health>,
}

impl Context {
    /// What it has counted, and what there is now.
    pub(super) fn render_metrics(&self) -> String {
        let gauges = Gauges {
            connections: self.roster.len(),
            sessions: self.sessions.len(),
            in_line: self.leaders.in_line(),
            waiting: self.load.waiting(),
            buffered: self.load.buffered.bytes(),
            scheduler: fibra_scheduler::counters(),
        };
        metrics::text::render(self.metrics.as_deref(), &gauges)
    }
}

/// The accept loop of one server.
#[derive(Debug)]
pub(super) struct Acceptor {
    local_addr: SocketAddr,
    stopping: AtomicBool,
    task: Mutex<Option<Task>>,
    end: Mutex<End>,
}

#[derive(Debug, Default)]
struct End {
    reached: bool,
    error: Option<Arc<io::Error>>,
    waiters: Waiters,
}

impl Acceptor {
    /// Starts the loop.
    ///
    /// # Errors
    ///
    /// What stops the fiber or thread from being started.
    pub(super) fn start(
        mode: Mode,
        listener: TcpListener,
        local_addr: SocketAddr,
        context: Arc<Context>,
    ) -> io::Result<Arc<Self>> {
        let acceptor = Arc::new(Self {
            local_addr,
            stopping: AtomicBool::new(false),
            task: Mutex::default(),
            end: Mutex::default(),
        });
        let ending = Ending(Arc::clone(&acceptor));
        let run = move || {
            // Closed before `ending` tells: whoever waited may bind the address again.
            let listener = listener;
            ending.0.accept_all(mode, &listener, &context);
        };
        let name = format!("rpc accept {local_addr}");
        let task = match mode {
            // Not under the deadline of whoever binds.
            Mode::Fibers => Task::Fiber(cancel::shield(|| fibra_scheduler::Builder::new().name(name).spawn(run))?),
            Mode::Threads => Task::Thread(thread::Builder::new().name(name).spawn(run)?),
        };
        *acceptor.task.lock() = Some(task);
        Ok(acceptor)
    }

    /// Makes the loop end. Does not wait for it.
    pub(super) fn stop(&self) {
        if self.stopping.swap(true, Ordering::AcqRel) {
            return;
        }
        match &*self.task.lock() {
            Some(Task::Fiber(fiber)) => fiber.cancel(),
            // A thread that blocks in accept wakes for a connection only: this one. If it fails, the loop ends with the
            // next that comes. std's connect, because `stop` runs in destructors, which must not park.
            Some(Task::Thread(_)) => {
                let _ = std::net::TcpStream::connect_timeout(&reachable(self.local_addr), Duration::from_secs(1));
            }
            None => {}
        }
    }

    /// Waits until the loop has ended, or the caller is cancelled.
    pub(super) fn wait(&self) -> Result<(), Arc<io::Error>> {
        loop {
            let mut end = self.end.lock();
            if end.reached {
                return end.error.clone().map_or(Ok(()), Err);
            }
            let ticket = end.waiters.add();
            drop(end);
            let parked = park::wait(Reason::Call, None);
            self.end.lock().waiters.leave(ticket);
            if parked.is_err() {
                return Ok(());
            }
        }
    }

    fn accept_all(&self, mode: Mode, listener: &TcpListener, context: &Arc<Context>) {
        for accepted in listener.incoming() {
            if self.stopping.load(Ordering::Acquire) {
                return;
            }
            match accepted {
                Ok(stream) => serve(mode, stream, context),
                // Its runtime ends.
                Err(error) if cancel::is_cancelled(&error) => return,
                Err(error) => {
                    tracing::error!(addr = %self.local_addr, %error, "stopped accepting");
                    self.end.lock().error = Some(Arc::new(error));
                    return;
                }
            }
        }
    }
}

/// Starts a fiber or a thread for a connection. If that fails, this connection is closed and the loop goes on.
fn serve(mode: Mode, stream: TcpStream, context: &Arc<Context>) {
    let Ok(peer) = stream.peer_addr() else { return };
    let seat = match Roster::add(context, stream) {
        Ok(seat) => seat,
        Err(Refused::Closed) => return,
        Err(Refused::Full) => {
            tracing::warn!(%peer, "closed a new connection: there are as many as there may be");
            return;
        }
    };
    let number = seat.number();
    let roster = Arc::clone(&context.roster);
    let run = move || connection::serve(seat, peer);
    let name = format!("rpc {peer}");
    let started = match mode {
        Mode::Fibers => fibra_scheduler::Builder::new().name(name).spawn(run).map(Task::Fiber),
        Mode::Threads => thread::Builder::new().name(name).spawn(run).map(Task::Thread),
    };
    match started {
        Ok(task) => roster.open_by(number, task),
        Err(error) => tracing::warn!(%peer, %error, "closed a new connection: nothing could be started to serve it"),
    }
}

/// An address by which this host reaches its own listener: "any address" is none to connect to.
fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

/// Tells whoever waits that the loop has ended, when it is dropped.
struct Ending(Arc<Acceptor>);

impl Drop for Ending {
    fn drop(&mut self) {
        let mut end = self.0.end.lock();
        end.reached = true;
        let waiters = end.waiters.take_all();
        drop(end);
        waiters.wake();
    }
}
