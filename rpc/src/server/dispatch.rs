//! The connections of one worker, and the fiber that serves those that have sent something.
//!
//! ```text
//!   bytes ─▶ line of connections ─▶ leader: a turn of each ─ handler parks ─▶ another leads; this one ends with its call
//!                 ▲                        │
//!                 └── watched again ◀──────┘ all taken, all run, replies written
//! ```
//!
//! So bytes that wait hold fibers, connections do not: ten thousand silent ones cost this worker one stack. A call that does not park
//! costs neither a switch nor a spawn; of a hundred connections that are readable at once, all are served in one go. One that has more
//! to say than a turn takes goes to the end of the line.
//!
//! Source: the leader and its followers of Schmidt et al., "Leader/Followers" (PLoP 2000); here a follower is not kept waiting, but
//! spawned when it is needed, which is cheaper.
//!
//! Invariants:
//! * One fiber leads, or one that has been spawned to; it never parks but for want of connections to serve, or of a fiber to take
//!   its place.
//! * A connection is in the line, or watched, or has its turn, or [paused](Turn::Paused).
//! * When the leader ends and none follows, all its connections end.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Instant;

use fibra_net::ReadySet;
use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::{JoinHandle, cancel, clock, yield_now};

use super::accept::Context;
use super::admission::{Admission, Late, Line};
use super::connection::{Connection, Turn};
use super::leaders::{Leader, Seen};
use super::postponed::Postponed;
use super::reader::Reader;
use super::tenants::{Tenant, Tenants};
use super::unfinished::Unfinished;
use crate::buffered::Share;
use crate::limits::{LOOK_CONNECTIONS_MAX, TURN_TIME_MAX};

/// Readers that a worker keeps for connections to come, each with an input buffer.
const READERS_MAX: usize = 8;

thread_local! {
    /// One for each server that has connections on this worker.
    static DISPATCHES: RefCell<Vec<Weak<Dispatch>>> = const { RefCell::new(Vec::new()) };
}

/// See the [module](self).
pub(super) struct Dispatch {
    context: Arc<Context>,
    set: ReadySet,
    connections: RefCell<Tenants<Rc<Connection>>>,
    /// For whoever reads next.
    #[expect(clippy::vec_box, reason = "they come and go as they are")]
    readers: RefCell<Vec<Box<Reader>>>,
    leader: Arc<Leader>,
    /// A fiber is being spawned to lead: if that fails, the one who leads goes on.
    spawning: Cell<bool>,
    /// Whoever was to lead never did, or panicked: it serves nobody any more.
    abandoned: Cell<bool>,
    line: RefCell<Line>,
    /// When connections are to look after their held calls; and when the first is.
    alarms: RefCell<BTreeSet<(Instant, u64)>>,
    first_alarm: Cell<Option<Instant>>,
    admission: RefCell<Admission>,
    unfinished: RefCell<Unfinished<Key>>,
    postponed: Postponed,
    /// What is looked at for who drains, and how far that has come.
    look: Cell<Option<Look>>,
}

#[derive(Clone, Copy)]
struct Look {
    epoch: u64,
    index: usize,
    seen: Seen,
}

impl Look {
    fn begin(epoch: u64) -> Self {
        Self { epoch, index: 0, seen: Seen::default() }
    }
}

impl Tenant for Rc<Connection> {
    #[inline]
    fn key(&self) -> Option<Key> {
        Connection::key(self)
    }
}

/// The name of a connection in the line of its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(pub(super) u64);

impl Key {
    /// No connection's: the server drains, and asks how far this worker is.
    pub(super) const LOOK: Self = Self(u64::MAX);

    /// No connection's: what stood in line before it has had its turn.
    const MARK: Self = Self(u64::MAX - 1);

    /// No connection's: fewer calls wait at the server than may.
    pub(super) const ROOM: Self = Self(u64::MAX - 2);

    /// Of who is in that place, as the generation says.
    pub(super) fn new(place: u32, generation: u32) -> Self {
        Self(u64::from(generation) << 32 | u64::from(place))
    }

    #[inline]
    pub(super) fn place(self) -> usize {
        (self.0 & u64::from(u32::MAX)) as usize
    }
}

impl Dispatch {
    /// The one of `context`'s server on the calling fiber's worker.
    ///
    /// # Errors
    ///
    /// There is none yet, and no fiber to lead it.
    pub(super) fn here(context: &Arc<Context>) -> io::Result<Rc<Self>> {
        let found = DISPATCHES.with_borrow_mut(|dispatches| {
            dispatches.retain(|dispatch| dispatch.strong_count() > 0);
            let of_context = |dispatch: &Rc<Self>| Arc::ptr_eq(&dispatch.context, context) && !dispatch.abandoned.get();
            dispatches.iter().filter_map(Weak::upgrade).find(of_context)
        });
        if let Some(dispatch) = found {
            return Ok(dispatch);
        }
        let set = ReadySet::new();
        let dispatch = Rc::new(Self {
            context: Arc::clone(context),
            set: set.clone(),
            connections: RefCell::default(),
            readers: RefCell::default(),
            leader: context.leaders.enter(set.clone()),
            spawning: Cell::new(false),
            abandoned: Cell::new(false),
            line: RefCell::default(),
            alarms: RefCell::default(),
            first_alarm: Cell::new(None),
            admission: RefCell::new(Admission::new(context.queue_delay_max)),
            unfinished: RefCell::new(Unfinished::new(context.frame_timeout)),
            postponed: Postponed::default(),
            look: Cell::new(None),
        });
        dispatch.clone().spawn_leader().inspect_err(|_| context.leaders.leave(&dispatch.leader))?;
        DISPATCHES.with_borrow_mut(|dispatches| dispatches.push(Rc::downgrade(&dispatch)));
        Ok(dispatch)
    }

    /// Takes in a connection, which is watched from now on.
    ///
    /// # Errors
    ///
    /// What stops its socket from being watched.
    pub(super) fn adopt(self: &Rc<Self>, connection: &Rc<Connection>) -> io::Result<()> {
        let settle = |connection: &Rc<Connection>, key| connection.settle(Rc::downgrade(self), key);
        let key = self.connections.borrow_mut().insert(Rc::clone(connection), settle);
        if self.context.stage.is_draining() {
            connection.tell_of_drain();
        }
        self.watch(connection, key).inspect_err(|_| self.release(key))
    }

    /// Lets go of a connection that has ended.
    fn release(&self, key: Key) {
        let released = self.connections.borrow_mut().remove(key);
        drop(released);
    }

    /// Puts a connection at the end of the line.
    pub(super) fn line_up(&self, key: Key) {
        self.set.push(key.0);
    }

    fn watch(&self, connection: &Connection, key: Key) -> io::Result<()> {
        connection.stream().watch(&self.set, key.0)
    }

    fn find(&self, key: Key) -> Option<Rc<Connection>> {
        self.connections.borrow().get(key).map(Rc::clone)
    }

    /// Serves whoever is in line, until another fiber leads, or until cancelled.
    fn lead(self: &Rc<Self>) {
        // When others last had their turn, about, and when this was last known.
        let mut led = None;
        let mut looks = false;
        while let Ok((key, is_due)) = self.next(&mut looks) {
            if key >= Key::ROOM {
                self.attend_to(key);
                continue;
            }
            if has_led_for_long(&mut led) {
                looks = true;
                if self.set.rest().is_err() {
                    break;
                }
            }
            let Some(connection) = self.find(key) else { continue };
            let (stood, puts) = self.line.borrow_mut().begins();
            if puts {
                self.line_up(Key::MARK);
            }
            let mut reader = connection.take_input().unwrap_or_else(|| self.reader());
            reader.has_stood(stood, connection.read_at());
            let turn = connection.turn(reader);
            if let Turn::Drained(reader) | Turn::Filled(reader) | Turn::Cut(reader) = &turn {
                let since = led.map_or(reader.read_at(), |(since, _)| since);
                led = Some((since, reader.last_known()));
            }
            match turn {
                Turn::Drained(mut reader) => {
                    self.turn_ended(&reader, &connection, false);
                    if !reader.is_empty() && self.takes_too_long(&mut reader, key, is_due) {
                        connection.was_too_slow();
                        self.release(key);
                        continue;
                    }
                    if !self.put_aside(reader, &connection, false) {
                        self.release(key);
                        continue;
                    }
                    if let Err(error) = self.watch(&connection, key) {
                        connection.lost(&error);
                        self.release(key);
                    }
                }
                Turn::Filled(reader) => {
                    self.turn_ended(&reader, &connection, true);
                    if self.put_aside(reader, &connection, true) {
                        self.line_up(key);
                    } else {
                        self.release(key);
                    }
                }
                Turn::Cut(reader) => {
                    self.turn_ended(&reader, &connection, true);
                    // However much it is: it waits for this side.
                    connection.keep_input(reader, true);
                    self.line_up(key);
                }
                Turn::Paused => {}
                Turn::HandedOver => return,
                Turn::Ended => self.release(key),
            }
        }
        self.abandon(yield_now);
    }

    /// Does what one of those keys stands for that are no connection's.
    fn attend_to(&self, key: Key) {
        match key {
            Key::LOOK => self.look(),
            Key::MARK => {
                if self.line.borrow_mut().passes(clock::now) {
                    self.line_up(Key::MARK);
                }
            }
            _ => {
                if let Some(connection) = self.postponed.next().and_then(|key| self.find(key)) {
                    connection.told_of_room();
                }
                self.postponed.await_room(&self.context.load, &self.set);
            }
        }
    }

    /// A connection, which is paused, gets back in line when fewer calls wait at the server than may.
    pub(super) fn postpone(&self, key: Key) {
        self.postponed.add(key, &self.context.load, &self.set);
    }

    /// Who is next in line; or one whose frame should have come as a whole by now, and who has a turn for that reason.
    ///
    /// The clock is read when nobody is in line, and if it `looks`, which it does until nobody is due; and while calls are held.
    fn next(&self, looks: &mut bool) -> Result<(Key, bool), Interrupted> {
        loop {
            let deadline = self.unfinished.borrow().next();
            if *looks
                && deadline.is_some()
                && let Some(key) = self.due(clock::now())
            {
                return Ok((key, true));
            }
            *looks = false;
            let mut until = deadline;
            if let Some(first_alarm) = self.first_alarm.get() {
                self.ring_alarms();
                until = Some(deadline.map_or(first_alarm, |deadline| deadline.min(first_alarm)));
            }
            match self.set.next_before(until) {
                Ok(key) => return Ok((Key(key), false)),
                Err(Interrupted::TimedOut) if until.is_some() => *looks = true,
                Err(interrupted) => return Err(interrupted),
            }
        }
    }

    /// Where its connections line up, from whatever thread.
    pub(super) fn line_of(&self) -> ReadySet {
        self.set.clone()
    }

    /// A connection is to look after its held calls at that time, and no longer at the one before.
    pub(super) fn set_alarm(&self, key: Key, before: Option<Instant>, at: Option<Instant>) {
        let mut alarms = self.alarms.borrow_mut();
        before.map(|before| alarms.remove(&(before, key.0)));
        alarms.extend(at.map(|at| (at, key.0)));
        self.first_alarm.set(alarms.first().map(|&(at, _)| at));
    }

    #[cold]
    fn ring_alarms(&self) {
        let now = clock::now();
        while let Some(at) = self.first_alarm.get().filter(|&at| at <= now) {
            let Some((_, key)) = self.alarms.borrow_mut().pop_first() else { break };
            self.set_alarm(Key(key), Some(at), None);
            if let Some(connection) = self.find(Key(key)) {
                connection.alarmed();
            }
        }
    }

    /// One that has, or may have, waited too long for the rest of a frame.
    fn due(&self, now: Instant) -> Option<Key> {
        loop {
            let key = self.unfinished.borrow_mut().due(now)?;
            let Some(connection) = self.find(key) else { continue };
            self.set_timed(key, false);
            if connection.is_paused() {
                self.time(key, now);
            } else if connection.keeps_input() {
                return Some(key);
            }
        }
    }

    /// Whether it has waited too long for the rest of a frame. If it was not `due` to be, that is found when it is.
    fn takes_too_long(&self, reader: &mut Reader, key: Key, is_due: bool) -> bool {
        let since = reader.unfinished_since();
        let deadline = self.unfinished.borrow().deadline(since);
        if is_due && deadline.is_some_and(|deadline| deadline <= clock::now()) {
            return true;
        }
        self.time(key, since);
        false
    }

    /// Sees to it that a connection is due in time.
    fn time(&self, key: Key, since: Instant) {
        if !self.set_timed(key, true) {
            let connections = self.connections.borrow().len();
            self.unfinished.borrow_mut().add(key, since, connections, |key| self.find(key).is_some());
        }
    }

    /// Whether a connection has an entry; returns whether it had one.
    fn set_timed(&self, key: Key, timed: bool) -> bool {
        self.connections.borrow().get(key).is_some_and(|connection| connection.set_timed(timed))
    }

    /// Ends all connections: nobody will serve them. Calls `rest` after a few of them, and so on.
    fn abandon(&self, rest: impl Fn()) {
        self.abandoned.set(true);
        let ended = self.connections.borrow_mut().take_all();
        for (count, connection) in (1_usize..).zip(ended) {
            connection.close();
            if count.is_multiple_of(LOOK_CONNECTIONS_MAX) {
                rest();
            }
        }
    }

    /// A turn of `connection` has ended, who may have more to say; or goes on elsewhere.
    pub(super) fn turn_ended(&self, reader: &Reader, connection: &Connection, more: bool) {
        self.line.borrow_mut().ended(reader.read_at(), more);
        connection.was_read(reader.read_at());
    }

    /// Whether a late call is to be run nevertheless.
    pub(super) fn admits(&self, late: Late) -> bool {
        self.admission.borrow_mut().admits(late)
    }

    /// Tells the connections that the server drains, and the server what they still have to do. A few at a time: those in line are served meanwhile.
    fn look(&self) {
        let epoch = self.leader.epoch();
        let mut look = self.look.take().filter(|look| look.epoch == epoch).unwrap_or(Look::begin(epoch));
        for _ in 0..LOOK_CONNECTIONS_MAX {
            let connections = self.connections.borrow();
            // Where one has gone, another may come; that one has been told.
            if look.index >= connections.end() {
                self.leader.has_seen(look.seen, epoch);
                return;
            }
            let connection = connections.at(look.index).map(Rc::clone);
            drop(connections);
            look.index += 1;
            if let Some(connection) = connection {
                connection.tell_of_drain();
                look.seen.connections += 1;
                look.seen.busy += usize::from(connection.is_busy());
            }
        }
        self.look.set(Some(look));
        self.line_up(Key::LOOK);
    }

    /// Has another fiber lead. The caller, who does until now, runs call `xid` of `connection`.
    ///
    /// # Errors
    ///
    /// There is no fiber to be had; the caller goes on to lead.
    pub(super) fn hand_over(self: Rc<Self>, xid: u64, connection: &Connection) -> io::Result<()> {
        if let Some(fiber) = self.spawn_leader()? {
            connection.run_by(xid, fiber);
        }
        Ok(())
    }

    /// Returns who has led until now.
    fn spawn_leader(self: Rc<Self>) -> io::Result<Option<JoinHandle<()>>> {
        let leader = Arc::clone(&self.leader);
        let spawning = Rc::clone(&self);
        spawning.spawning.set(true);
        let leading = Leading { dispatch: self, is_over: false };
        // Perhaps from within a handler, whose deadline is not the leader's.
        let spawned = cancel::shield(|| fibra_scheduler::Builder::new().spawn_local(move || leading.run()));
        spawning.spawning.set(false);
        Ok(leader.succeed(spawned?))
    }

    fn reader(&self) -> Box<Reader> {
        let spare = self.readers.borrow_mut().pop();
        spare.unwrap_or_else(|| {
            let Context { limits, queue_delay_max, load, .. } = &*self.context;
            let share = Share::new(Arc::clone(&load.buffered));
            Box::new(Reader::new(limits.frame_bytes, Some(*queue_delay_max), share))
        })
    }

    /// Keeps the input with its connection if a frame has come in part, else for the next connection. False if that was too much, and the
    /// connection has been closed for it.
    fn put_aside(&self, reader: Box<Reader>, connection: &Rc<Connection>, has_more: bool) -> bool {
        if !reader.is_empty() {
            let may_keep = connection.keep_input(reader, has_more);
            if !may_keep {
                connection.held_too_much();
            }
            return may_keep;
        }
        if has_more && self.context.stage.is_draining() {
            // By which who drains knows that it is not done with. It holds nothing: it cannot be too much.
            connection.keep_input(reader, has_more);
            return true;
        }
        let mut readers = self.readers.borrow_mut();
        if readers.len() < READERS_MAX {
            readers.push(reader);
        }
        true
    }
}

/// Whether others are to have their turn now. No clock is read for it.
fn has_led_for_long(led: &mut Option<(Instant, Instant)>) -> bool {
    led.take_if(|(since, now)| now.saturating_duration_since(*since) >= TURN_TIME_MAX).is_some()
}

/// What the leader runs. If it never does, since there was no stack for it, or panics, its connections end.
struct Leading {
    dispatch: Rc<Dispatch>,
    is_over: bool,
}

impl Leading {
    fn run(mut self) {
        self.dispatch.lead();
        self.is_over = true;
    }
}

impl Drop for Leading {
    fn drop(&mut self) {
        if !self.is_over && !self.dispatch.spawning.get() {
            tracing::error!("closed the connections of a worker: what was to serve them did not run, or panicked");
            // A destructor must not let others run.
            self.dispatch.abandon(|| {});
        }
    }
}
