//! Who serves which connection, so that shutting down reaches every socket, fiber and thread.
//!
//! Invariants:
//! * A connection is on the roster from before its first fiber starts until the last one has dropped the [`Seat`].
//! * After [`Roster::close`] nothing is added: a connection is refused, a fiber is cancelled on the spot.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;

use fibra_net::{Shutdown, TcpStream};
use fibra_scheduler::JoinHandle;
use parking_lot::Mutex;

use crate::limits::LOOK_CONNECTIONS_MAX;
use crate::outbox::Outbox;
use crate::session::Xid;

/// All connections of a server.
#[derive(Debug)]
pub(super) struct Roster {
    state: Mutex<State>,
    connections_max: usize,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<u64, Arc<Entry>>,
    /// Of the connections that have a thread each, to be told of a drain. Those of fibers are told by who leads.
    outboxes: HashMap<u64, Arc<Outbox>>,
    last: u64,
    draining: bool,
    closed: bool,
}

/// One connection, and who serves it.
#[derive(Debug)]
pub(super) struct Entry {
    number: u64,
    pub(super) stream: TcpStream,
    tasks: Mutex<Tasks>,
}

#[derive(Debug, Default)]
struct Tasks {
    running: Vec<(Xid, Task)>,
    /// It has a place in its worker's line: whoever opened it is not needed any more.
    opened: bool,
    closed: bool,
}

/// A connection's place on the roster, given up when dropped. Whoever serves the connection holds it.
#[derive(Debug)]
pub(super) struct Seat {
    roster: Arc<Roster>,
    entry: Arc<Entry>,
}

impl Seat {
    pub(super) fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }

    /// The connection is open, and a thread of its own serves it. Whether the server is draining already.
    pub(super) fn open(&self, outbox: &Arc<Outbox>) -> bool {
        let mut state = self.roster.state.lock();
        state.outboxes.insert(self.entry.number, Arc::clone(outbox));
        state.draining
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.roster.state.lock();
        let removed = state.entries.remove(&self.entry.number);
        let outbox = state.outboxes.remove(&self.entry.number);
        drop(state);
        drop((removed, outbox));
    }
}

/// A fiber or a thread of ours.
#[derive(Debug)]
pub(super) enum Task {
    Fiber(JoinHandle<()>),
    Thread(thread::JoinHandle<()>),
}

/// Why a connection is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The server is closing.
    Closed,
    /// There are as many connections as there may be.
    Full,
}

impl Roster {
    pub(super) fn new(connections_max: usize) -> Self {
        Self { state: Mutex::default(), connections_max }
    }

    pub(super) fn len(&self) -> usize {
        self.state.lock().entries.len()
    }

    /// Puts a connection on the roster.
    pub(super) fn add(self: &Arc<Self>, stream: TcpStream) -> Result<Seat, Refused> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.entries.len() >= self.connections_max {
            return Err(Refused::Full);
        }
        state.last += 1;
        let entry = Arc::new(Entry { number: state.last, stream, tasks: Mutex::default() });
        state.entries.insert(entry.number, Arc::clone(&entry));
        drop(state);
        Ok(Seat { roster: Arc::clone(self), entry })
    }

    /// Whether there are connections with a thread each.
    pub(super) fn has_threads(&self) -> bool {
        !self.state.lock().outboxes.is_empty()
    }

    /// From now on connections are told of it as they open. Returns those with a thread each that are open.
    pub(super) fn drain(&self) -> Vec<(Arc<Entry>, Arc<Outbox>)> {
        let mut state = self.state.lock();
        state.draining = true;
        let of_number = |(number, outbox): (&u64, &Arc<Outbox>)| {
            state.entries.get(number).map(|entry| (Arc::clone(entry), Arc::clone(outbox)))
        };
        state.outboxes.iter().filter_map(of_number).collect()
    }

    /// Closes every connection and cancels its fibers, once and for all. Calls `rest` after a few of them, and so on.
    pub(super) fn close(&self, mut rest: impl FnMut()) {
        for entries in self.close_entries().chunks(LOOK_CONNECTIONS_MAX) {
            entries.iter().for_each(|entry| entry.close());
            rest();
        }
    }

    /// Waits for whoever still serves a connection. To be called after [`close`](Self::close).
    pub(super) fn join(&self) {
        for entry in self.close_entries() {
            // The lock is taken anew for each: one that is waited for may be about to add another.
            while let Some(task) = entry.pop() {
                task.join();
            }
        }
    }

    fn close_entries(&self) -> Vec<Arc<Entry>> {
        let mut state = self.state.lock();
        state.closed = true;
        state.entries.values().cloned().collect()
    }
}

impl Tasks {
    fn add(&mut self, xid: Xid, task: Task) {
        if self.closed {
            task.cancel();
        }
        // Those that have ended are dropped whenever the list would grow: so its length stays within twice the running.
        if self.running.len() == self.running.capacity() {
            self.running.retain(|(_, task)| !task.is_finished());
        }
        self.running.push((xid, task));
    }
}

impl Entry {
    /// `task` is to open this connection.
    pub(super) fn open_by(&self, task: Task) {
        let mut tasks = self.tasks.lock();
        // It may have done so before this could be said.
        if !tasks.opened {
            tasks.add(0, task);
        }
    }

    /// The connection is open, and served by others than who opened it, who is forgotten: an idle connection holds nothing of a fiber.
    pub(super) fn opened(&self) {
        let mut tasks = self.tasks.lock();
        tasks.opened = true;
        let openers = std::mem::take(&mut tasks.running);
        drop(tasks);
        drop(openers);
    }

    /// Forgets who has ended; whether anybody is left.
    pub(super) fn forget_finished(&self) -> bool {
        let mut tasks = self.tasks.lock();
        tasks.running.retain(|(_, task)| !task.is_finished());
        tasks.running.shrink_to(2);
        !tasks.running.is_empty()
    }

    /// `task` serves this connection too: call `xid` of it, or none if that is 0.
    pub(super) fn add(&self, xid: Xid, task: Task) {
        self.tasks.lock().add(xid, task);
    }

    fn close(&self) {
        // Fails only if the peer was faster.
        let _ = self.stream.shutdown(Shutdown::Both);
        let mut tasks = self.tasks.lock();
        tasks.closed = true;
        for (_, task) in &tasks.running {
            task.cancel();
        }
    }

    /// Nobody waits for call `xid` any more: what runs it, if it has parked, is to end.
    pub(super) fn cancel(&self, xid: Xid) {
        for (running, task) in &self.tasks.lock().running {
            if *running == xid {
                task.cancel();
            }
        }
    }

    fn pop(&self) -> Option<Task> {
        self.tasks.lock().running.pop().map(|(_, task)| task)
    }
}

impl Task {
    pub(super) fn cancel(&self) {
        match self {
            Self::Fiber(fiber) => fiber.cancel(),
            // A thread cannot be cancelled; that its socket was shut down ends it.
            Self::Thread(_) => {}
        }
    }

    fn is_finished(&self) -> bool {
        match self {
            Self::Fiber(fiber) => fiber.is_finished(),
            Self::Thread(thread) => thread.is_finished(),
        }
    }

    /// Waits for it to end. How it ended was told where it happened.
    pub(super) fn join(self) {
        match self {
            Self::Fiber(fiber) => {
                let _ = fiber.join();
            }
            Self::Thread(thread) => {
                // On the pool, so that the caller's worker goes on; in place if there is no pool to be had.
                let _ = fibra_scheduler::blocking(move || thread.join());
            }
        }
    }
}
