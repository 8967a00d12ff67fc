//! Who serves which connection, so that shutting down reaches every socket, fiber and thread.
//!
//! Each connection has two words here: its socket, and who runs calls of it that have parked, if there are any. They are in several tables,
//! with a lock each, so that workers whose handlers park rarely meet.
//!
//! Invariants:
//! * A connection is on the roster from before its first fiber starts until the last one has dropped the [`Seat`].
//! * After [`Roster::close`] nothing is added: a connection is refused, a fiber is cancelled on the spot.
//! * Only the accept loop [adds](Roster::add) connections. So a number is not another's by the time that it is [said](Roster::open_by) who
//!   opens it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use fibra_net::{Shutdown, TcpStream};
use fibra_scheduler::JoinHandle;
use parking_lot::Mutex;
use slab::Slab;

use crate::limits::LOOK_CONNECTIONS_MAX;
use crate::outbox::Outbox;
use crate::session::Xid;

/// How many tables there are.
const TABLES: usize = 16;

/// All connections of a server.
#[derive(Debug)]
pub(super) struct Roster {
    tables: [Mutex<Table>; TABLES],
    /// How many there are, and how many there have been.
    connections: AtomicUsize,
    added: AtomicUsize,
    connections_max: usize,
    threads: Mutex<Threads>,
}

#[derive(Debug, Default)]
struct Table {
    entries: Slab<Entry>,
    closed: bool,
}

/// One connection, and who serves it besides its worker's leader.
#[derive(Debug)]
struct Entry {
    stream: TcpStream,
    /// Nobody, once it is open, but for calls that have parked.
    #[expect(clippy::box_collection, reason = "a word instead of three, for each connection")]
    tasks: Option<Box<Vec<(Xid, Task)>>>,
}

/// The connections that have a thread each, to be told of a drain. Those of fibers are told by who leads.
#[derive(Debug, Default)]
struct Threads {
    outboxes: HashMap<Number, (TcpStream, Arc<Outbox>)>,
    draining: bool,
}

/// A connection's number on the roster, for as long as it has its seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Number(u32);

impl Number {
    fn new(table: usize, index: usize) -> Option<Self> {
        u32::try_from(index).ok()?.checked_mul(TABLES as u32)?.checked_add(table as u32).map(Self)
    }

    fn table(self) -> usize {
        self.0 as usize % TABLES
    }

    fn index(self) -> usize {
        self.0 as usize / TABLES
    }
}

/// A connection's place on the roster, given up when dropped. Whoever serves the connection holds it.
#[derive(Debug)]
pub(super) struct Seat {
    roster: Arc<Roster>,
    number: Number,
    stream: TcpStream,
}

impl Seat {
    pub(super) fn number(&self) -> Number {
        self.number
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// The connection is open, and a thread of its own serves it. Whether the server is draining already.
    pub(super) fn open(&self, outbox: &Arc<Outbox>) -> bool {
        let mut threads = self.roster.threads.lock();
        // Another handle to it: that cannot fail.
        if let Ok(stream) = self.stream.try_clone() {
            threads.outboxes.insert(self.number, (stream, Arc::clone(outbox)));
        }
        threads.draining
    }

    /// The connection is open, and served by others than who opened it, who is forgotten: an idle connection holds nothing of a fiber.
    pub(super) fn opened(&self) {
        let tasks = self.with_entry(|entry, _| entry.tasks.take());
        drop(tasks);
    }

    /// Forgets who has ended; whether anybody is left.
    pub(super) fn forget_finished(&self) -> bool {
        let left = self.with_entry(|entry, _| {
            let tasks = entry.tasks.as_mut()?;
            tasks.retain(|(_, task)| !task.is_finished());
            tasks.shrink_to(2);
            if tasks.is_empty() {
                entry.tasks = None;
            }
            entry.tasks.as_ref().map(|_| ())
        });
        left.is_some()
    }

    /// `task` serves this connection too: call `xid` of it, or none if that is 0.
    pub(super) fn add(&self, xid: Xid, task: Task) {
        self.with_entry(|entry, closed| {
            entry.add(xid, task, closed);
            None::<()>
        });
    }

    /// Nobody waits for call `xid` any more: what runs it, if it has parked, is to end.
    pub(super) fn cancel(&self, xid: Xid) {
        self.with_entry(|entry, _| {
            for (running, task) in entry.tasks.iter().flat_map(|tasks| tasks.iter()) {
                if *running == xid {
                    task.cancel();
                }
            }
            None::<()>
        });
    }

    fn with_entry<R>(&self, f: impl FnOnce(&mut Entry, bool) -> Option<R>) -> Option<R> {
        self.roster.with_entry(self.number, f)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let removed = self.roster.tables[self.number.table()].lock().entries.try_remove(self.number.index());
        let told = self.roster.threads.lock().outboxes.remove(&self.number);
        self.roster.connections.fetch_sub(1, Ordering::AcqRel);
        drop((removed, told));
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
        Self {
            tables: Default::default(),
            connections: AtomicUsize::new(0),
            added: AtomicUsize::new(0),
            connections_max,
            threads: Mutex::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }

    /// Puts a connection on the roster.
    pub(super) fn add(self: &Arc<Self>, stream: TcpStream) -> Result<Seat, Refused> {
        let index = self.added.fetch_add(1, Ordering::Relaxed) % TABLES;
        let own = stream.try_clone().map_err(|_| Refused::Full)?;
        let mut table = self.tables[index].lock();
        if table.closed {
            return Err(Refused::Closed);
        }
        let place = table.entries.vacant_entry();
        let number = Number::new(index, place.key()).ok_or(Refused::Full)?;
        if self.connections.fetch_add(1, Ordering::AcqRel) >= self.connections_max {
            self.connections.fetch_sub(1, Ordering::AcqRel);
            return Err(Refused::Full);
        }
        // Whoever is to open it has a place from the beginning, which is given up once it is open.
        place.insert(Entry { stream, tasks: Some(Box::default()) });
        Ok(Seat { roster: Arc::clone(self), number, stream: own })
    }

    /// `task` is to open this connection. It may have done so before this could be said, or have ended.
    pub(super) fn open_by(&self, number: Number, task: Task) {
        self.with_entry(number, |entry, closed| {
            if entry.tasks.is_some() {
                entry.add(0, task, closed);
            }
            None::<()>
        });
    }

    /// Whether there are connections with a thread each.
    pub(super) fn has_threads(&self) -> bool {
        !self.threads.lock().outboxes.is_empty()
    }

    /// From now on connections are told of it as they open. Returns those with a thread each that are open.
    pub(super) fn drain(&self) -> Vec<(TcpStream, Arc<Outbox>)> {
        let mut threads = self.threads.lock();
        threads.draining = true;
        let open = threads.outboxes.values();
        open.filter_map(|(stream, outbox)| Some((stream.try_clone().ok()?, Arc::clone(outbox)))).collect()
    }

    /// Closes every connection and cancels its fibers, once and for all. Calls `rest` after a few of them, and so on.
    pub(super) fn close(&self, mut rest: impl FnMut()) {
        for table in &self.tables {
            table.lock().closed = true;
        }
        for table in &self.tables {
            let indices: Vec<_> = table.lock().entries.iter().map(|(index, _)| index).collect();
            for some in indices.chunks(LOOK_CONNECTIONS_MAX) {
                for &index in some {
                    let stream = table.lock().entries.get(index).and_then(|entry| entry.stream.try_clone().ok());
                    if let Some(stream) = stream {
                        // Fails only if the peer was faster.
                        let _ = stream.shutdown(Shutdown::Both);
                    }
                    if let Some(Entry { tasks: Some(tasks), .. }) = table.lock().entries.get(index) {
                        tasks.iter().for_each(|(_, task)| task.cancel());
                    }
                }
                rest();
            }
        }
    }

    /// Waits for whoever still serves a connection. To be called after [`close`](Self::close).
    pub(super) fn join(&self) {
        for table in &self.tables {
            let numbers: Vec<_> = table.lock().entries.iter().map(|(index, _)| index).collect();
            for index in numbers {
                let pop = || table.lock().entries.get_mut(index)?.tasks.as_mut()?.pop();
                // The lock is taken anew for each: one that is waited for may be about to add another.
                while let Some((_, task)) = pop() {
                    task.join();
                }
            }
        }
    }

    /// What `f` makes of a connection, if it has its seat still; it is told whether all are closed.
    fn with_entry<R>(&self, number: Number, f: impl FnOnce(&mut Entry, bool) -> Option<R>) -> Option<R> {
        let mut table = self.tables[number.table()].lock();
        let Table { entries, closed } = &mut *table;
        f(entries.get_mut(number.index())?, *closed)
    }
}

impl Entry {
    fn add(&mut self, xid: Xid, task: Task, closed: bool) {
        if closed {
            task.cancel();
        }
        let tasks = self.tasks.get_or_insert_default();
        // Those that have ended are dropped whenever the list would grow: so its length stays within twice the running.
        if tasks.len() == tasks.capacity() {
            tasks.retain(|(_, task)| !task.is_finished());
        }
        tasks.push((xid, task));
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
