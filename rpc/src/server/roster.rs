//! Who serves which connection, so that shutting down reaches every socket, fiber and thread.
//!
//! A connection has an entry here only while it is being opened, has a thread of its own, or others than its worker's leader run calls of it: those
//! that have parked. They are in several tables, with a lock each, so that workers whose handlers park rarely meet.
//!
//! Invariants:
//! * A connection is on the roster from before its first fiber starts until the last one has dropped the [`Seat`].
//! * Who has no entry is served by a leader only, who closes its connections when it ends: see [`leaders`](super::leaders).
//! * After [`Roster::close`] nothing is added: a connection is refused, a fiber is cancelled on the spot.
//! * No connection has the number of another, not even of one that is gone.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use fibra_net::{Shutdown, TcpStream};
use fibra_scheduler::JoinHandle;
use parking_lot::{Mutex, MutexGuard};

use super::accept::Context;
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
    added: AtomicU64,
    connections_max: usize,
    threads: Mutex<Threads>,
}

#[derive(Debug, Default)]
struct Table {
    entries: HashMap<Number, Entry>,
    closed: bool,
}

/// One connection, and who serves it besides its worker's leader.
#[derive(Debug)]
struct Entry {
    stream: TcpStream,
    tasks: Vec<(Xid, Task)>,
}

/// The connections that have a thread each, to be told of a drain. Those of fibers are told by who leads.
#[derive(Debug, Default)]
struct Threads {
    outboxes: HashMap<Number, (TcpStream, Arc<Outbox>)>,
    draining: bool,
}

/// A connection's number on the roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Number(u64);

impl Number {
    fn table(self) -> usize {
        (self.0 % TABLES as u64) as usize
    }
}

/// A connection's place on the roster, given up when dropped. Whoever serves the connection holds it.
pub(super) struct Seat {
    /// Whose roster it is. Here, since every connection has it, and one pointer is enough.
    context: Arc<Context>,
    stream: TcpStream,
    number: Number,
}

impl Seat {
    pub(super) fn number(&self) -> Number {
        self.number
    }

    #[inline]
    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// What all connections of its server share.
    #[inline]
    pub(super) fn context(&self) -> &Arc<Context> {
        &self.context
    }

    fn roster(&self) -> &Roster {
        &self.context.roster
    }

    /// The connection is open, and a thread of its own serves it. Whether the server is draining already.
    pub(super) fn open(&self, outbox: &Arc<Outbox>) -> bool {
        let mut threads = self.roster().threads.lock();
        // Another handle to it: that cannot fail.
        if let Ok(stream) = self.stream.try_clone() {
            threads.outboxes.insert(self.number, (stream, Arc::clone(outbox)));
        }
        threads.draining
    }

    /// The connection is open, and served by others than who opened it, who is forgotten: an idle connection holds nothing of a fiber.
    pub(super) fn opened(&self) {
        let entry = self.table().entries.remove(&self.number);
        drop(entry);
    }

    /// Forgets who has ended; whether anybody is left.
    pub(super) fn forget_finished(&self) -> bool {
        let mut table = self.table();
        let Some(Entry { tasks, .. }) = table.entries.get_mut(&self.number) else { return false };
        tasks.retain(|(_, task)| !task.is_finished());
        tasks.shrink_to(2);
        if !tasks.is_empty() {
            return true;
        }
        let ended = table.entries.remove(&self.number);
        drop(table);
        drop(ended);
        false
    }

    /// `task` serves this connection too: call `xid` of it, or none if that is 0.
    pub(super) fn add(&self, xid: Xid, task: Task) {
        // Another handle to it: that cannot fail.
        let Ok(stream) = self.stream.try_clone() else { return };
        let mut table = self.table();
        let closed = table.closed;
        let entry = table.entries.entry(self.number).or_insert_with(|| Entry::of(stream));
        entry.add(xid, task, closed);
    }

    /// Nobody waits for call `xid` any more: what runs it, if it has parked, is to end.
    pub(super) fn cancel(&self, xid: Xid) {
        let table = self.table();
        for (running, task) in table.entries.get(&self.number).iter().flat_map(|entry| entry.tasks.iter()) {
            if *running == xid {
                task.cancel();
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.roster().tables[self.number.table()].lock()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let removed = self.table().entries.remove(&self.number);
        let roster = self.roster();
        let told = roster.threads.lock().outboxes.remove(&self.number);
        roster.connections.fetch_sub(1, Ordering::AcqRel);
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
            added: AtomicU64::new(0),
            connections_max,
            threads: Mutex::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }

    /// Puts a connection on the roster.
    pub(super) fn add(context: &Arc<Context>, stream: TcpStream) -> Result<Seat, Refused> {
        let roster = &context.roster;
        let number = Number(roster.added.fetch_add(1, Ordering::Relaxed));
        let own = stream.try_clone().map_err(|_| Refused::Full)?;
        let mut table = roster.tables[number.table()].lock();
        if table.closed {
            return Err(Refused::Closed);
        }
        if roster.connections.fetch_add(1, Ordering::AcqRel) >= roster.connections_max {
            roster.connections.fetch_sub(1, Ordering::AcqRel);
            return Err(Refused::Full);
        }
        // Whoever is to open it has an entry from the beginning, which is given up once it is open.
        table.entries.insert(number, Entry::of(stream));
        drop(table);
        Ok(Seat { context: Arc::clone(context), stream: own, number })
    }

    /// `task` is to open this connection. It may have done so before this could be said, or have ended.
    pub(super) fn open_by(&self, number: Number, task: Task) {
        let mut table = self.tables[number.table()].lock();
        let closed = table.closed;
        if let Some(entry) = table.entries.get_mut(&number) {
            entry.add(0, task, closed);
        }
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
            let numbers: Vec<_> = table.lock().entries.keys().copied().collect();
            for some in numbers.chunks(LOOK_CONNECTIONS_MAX) {
                for number in some {
                    let stream = table.lock().entries.get(number).and_then(|entry| entry.stream.try_clone().ok());
                    if let Some(stream) = stream {
                        // Fails only if the peer was faster.
                        let _ = stream.shutdown(Shutdown::Both);
                    }
                    if let Some(Entry { tasks, .. }) = table.lock().entries.get(number) {
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
            let numbers: Vec<_> = table.lock().entries.keys().copied().collect();
            for number in numbers {
                let pop = || table.lock().entries.get_mut(&number)?.tasks.pop();
                // The lock is taken anew for each: one that is waited for may be about to add another.
                while let Some((_, task)) = pop() {
                    task.join();
                }
            }
        }
    }
}

impl Entry {
    fn of(stream: TcpStream) -> Self {
        // Mostly there is one: who opens it, or its one call that has parked.
        Self { stream, tasks: Vec::with_capacity(1) }
    }

    fn add(&mut self, xid: Xid, task: Task, closed: bool) {
        if closed {
            task.cancel();
        }
        make_room(&mut self.tasks, |(_, task)| task.is_finished());
        self.tasks.push((xid, task));
    }
}

/// Drops those that have ended whenever the list would grow: so its length stays within twice the running, or four. Nor is it looked through again before
/// as many have come as are left.
fn make_room<T>(tasks: &mut Vec<T>, is_finished: impl Fn(&T) -> bool) {
    if tasks.len() == tasks.capacity() {
        tasks.retain(|task| !is_finished(task));
        tasks.reserve_exact(tasks.len());
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn however_many_run_another_costs_a_few_looks() {
        const RUNNING: usize = 1_000;
        const ALL: usize = 10 * RUNNING;
        let looks = Cell::new(0);
        let mut tasks = Vec::with_capacity(1);
        for number in 0..ALL {
            make_room(&mut tasks, |task| {
                looks.set(looks.get() + 1);
                task + RUNNING < number
            });
            tasks.push(number);
            assert!(tasks.len() <= 2 * RUNNING + 4);
        }
        assert!(looks.get() <= 4 * ALL, "{} looks at {ALL} tasks", looks.get());
    }
}
