//! Going down without failing a call.
//!
//! ```text
//!   stop accepting ─▶ goaway to all ─▶ calls that cross it still run ─▶ later ones are refused ─▶ all answered, or time is up ─▶ shut down
//!                                      └──────── grace ────────┘
//! ```
//!
//! A client that obeys closes its connection when it has its answers, so mostly this is over when there are no connections left. Else it is when,
//! after the grace, nothing is under way: no call, and no answer that the operating system has not taken.
//!
//! Who leads on a worker knows what its connections are about, and nobody else does; so it is asked, through the line in which its connections
//! stand, again and again: going down happens once, and no call pays for its being possible.
//!
//! Invariants:
//! * Nothing that runs is cancelled before the time is up.
//! * It ends, when the time is up at the latest, but for handlers that ignore that they are cancelled.
//! * Whoever shuts down goes on when all has ended, however many do so at once: one waits for fibers and threads, the others for that one.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use fibra_net::Shutdown;
use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::{cancel, clock, in_fiber, yield_now};
use parking_lot::Mutex;

use super::accept::{Acceptor, Context};
use crate::health::Health;
use crate::limits::{DRAIN_GRACE, LOOK_CONNECTIONS_MAX};
use crate::outbox::{AtOnce, Outbox};
use crate::scratch;
use crate::waiters::Waiters;
use crate::wire::encode;
use crate::wire::frame::GOAWAY_DRAINING;

/// How long to wait before asking again, at first ...
const LOOK_WAIT_MIN: Duration = Duration::from_millis(1);

/// ... and at most: each time twice as long.
const LOOK_WAIT_MAX: Duration = Duration::from_millis(16);

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// All that was under way has been answered.
    Complete,
    /// The time was up first: what was still under way was cancelled, and its callers got no answer.
    Cut,
}

/// What connections have to know of a drain.
#[derive(Debug, Default)]
pub(super) struct DrainStage(AtomicU8);

const DRAINING: u8 = 1;
const REFUSING: u8 = 2;
const OVER: u8 = 3;

impl DrainStage {
    /// Whether clients are to be told.
    pub(super) fn is_draining(&self) -> bool {
        self.0.load(Ordering::Acquire) >= DRAINING
    }

    /// Whether new calls are refused.
    #[inline]
    pub(super) fn is_refusing(&self) -> bool {
        self.0.load(Ordering::Acquire) >= REFUSING
    }

    /// Fails once the server shuts down: then nothing is answered any more, for what would be may have been cancelled, and have ended for that.
    #[inline]
    pub(super) fn may_answer(&self) -> io::Result<()> {
        if self.0.load(Ordering::Acquire) < OVER { Ok(()) } else { Err(io::ErrorKind::ConnectionAborted.into()) }
    }

    fn come_to(&self, stage: u8) {
        self.0.fetch_max(stage, Ordering::AcqRel);
    }
}

/// The drain of one server, and its end.
pub(super) struct Drain {
    acceptor: Arc<Acceptor>,
    context: Arc<Context>,
    health: Health,
    hurried: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    has_begun: bool,
    ended: Option<Drained>,
    down: Down,
    waiters: Waiters,
}

/// Whether the server is down.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Down {
    #[default]
    No,
    /// Somebody waits for all that is to end.
    Soon,
    Yes,
}

impl Drain {
    pub(super) fn new(acceptor: Arc<Acceptor>, context: Arc<Context>, health: Health) -> Self {
        Self { acceptor, context, health, hurried: AtomicBool::new(false), state: Mutex::default() }
    }

    /// Drains, or waits for the one who does.
    pub(super) fn run(&self, timeout: Duration) -> Drained {
        let begun = std::mem::replace(&mut self.state.lock().has_begun, true);
        if begun {
            return self.wait();
        }
        let ending = Ending(self);
        let drained = self.drain(timeout);
        self.shut_down();
        self.state.lock().ended = Some(drained);
        drop(ending);
        drained
    }

    /// What is under way is not waited for any more.
    pub(super) fn hurry(&self) {
        self.hurried.store(true, Ordering::Release);
    }

    /// Waits for the end of a drain, if there is one.
    pub(super) fn wait_if_begun(&self) {
        if self.state.lock().has_begun {
            self.wait();
        }
    }

    /// Closes everything, and cancels what runs.
    pub(super) fn stop(&self) {
        // A destructor must not let others run.
        self.stop_resting(|| {});
    }

    fn stop_resting(&self, rest: impl FnMut()) {
        self.health.end();
        // Before anything is cancelled, wherever that runs and whenever it parks.
        self.context.stage.come_to(OVER);
        self.acceptor.stop();
        self.context.roster.close(rest);
        self.context.leaders.close();
    }

    /// As [`stop`](Self::stop), and waits until all has ended.
    pub(super) fn shut_down(&self) {
        self.stop_resting(rest);
        // As with joining: who shuts down wants to know that it is down, and is not cancelled away from that.
        cancel::shield(|| self.wait_until_down());
    }

    fn wait_until_down(&self) {
        loop {
            let mut state = self.state.lock();
            match state.down {
                Down::Yes => return,
                Down::No => {
                    state.down = Down::Soon;
                    break;
                }
                Down::Soon => {}
            }
            let ticket = state.waiters.add();
            drop(state);
            let _ = park::wait(Reason::Call, None);
            self.state.lock().waiters.leave(ticket);
        }
        let _going = Going(self);
        // Why it stopped is for `Server::wait` to tell; that it did is enough here.
        let _ = self.acceptor.wait();
        self.context.roster.join();
        self.context.leaders.join();
        // Who led while the first of these went by may have handed the lead over since, to go on with its call.
        self.context.roster.join();
    }

    fn wait(&self) -> Drained {
        loop {
            let mut state = self.state.lock();
            if let Some(drained) = state.ended {
                return drained;
            }
            let ticket = state.waiters.add();
            drop(state);
            let parked = park::wait(Reason::Call, None);
            self.state.lock().waiters.leave(ticket);
            if parked.is_err() {
                return Drained::Cut;
            }
        }
    }

    fn drain(&self, timeout: Duration) -> Drained {
        let Context { stage, roster, leaders, .. } = &*self.context;
        let begin = clock::now();
        // One that is further away than the clock reaches is none.
        let deadline = begin.checked_add(timeout);
        let refuses_at = begin + DRAIN_GRACE.min(timeout / 2);
        self.health.end();
        stage.come_to(DRAINING);
        self.acceptor.stop();
        // It ends at once, and a failure is told by `Server::wait`.
        let _ = self.acceptor.wait();
        self.context.guests.drain();
        for some in roster.drain().chunks(LOOK_CONNECTIONS_MAX) {
            for (stream, outbox) in some {
                append_goaway(outbox);
                // What the peer does not take at once goes out with the next answer.
                let _ = outbox.flush(AtOnce(stream));
            }
            rest();
        }
        let mut refuses = false;
        let mut wait = LOOK_WAIT_MIN;
        loop {
            let seen = leaders.look();
            // Looked at in this order: who hurries then closes what there is.
            let is_empty = roster.len() == 0;
            let is_hurried = self.hurried.load(Ordering::Acquire);
            if is_empty && !is_hurried {
                return Drained::Complete;
            }
            let now = clock::now();
            if is_hurried || deadline.is_some_and(|deadline| deadline <= now) {
                return Drained::Cut;
            }
            if refuses {
                // What is told from now on was seen when nothing more could begin; a thread's connection ends by itself.
                // Who is on the roster and was not seen has ended, but for what it still runs and writes.
                let is_over = seen.is_some_and(|seen| seen.busy == 0 && seen.connections == roster.len());
                if is_over && !roster.has_threads() {
                    return Drained::Complete;
                }
            } else if refuses_at <= now {
                refuses = true;
                stage.come_to(REFUSING);
                for (stream, _) in roster.drain() {
                    // What has come is still answered.
                    let _ = stream.shutdown(Shutdown::Read);
                }
                // Looks of before do not count.
                leaders.forget_looks();
            }
            let until = deadline.map_or(now + wait, |deadline| deadline.min(now + wait));
            if !pause(until) {
                return Drained::Cut;
            }
            wait = LOOK_WAIT_MAX.min(wait * 2);
        }
    }
}

/// Queues the goaway of a server that drains.
pub(super) fn append_goaway(outbox: &Outbox) {
    let mut frame = scratch::take();
    encode::goaway(&mut frame, GOAWAY_DRAINING, "the server is going down");
    outbox.append_anyway(&mut frame);
    scratch::give(frame);
}

/// Lets others run, if the caller is a fiber.
fn rest() {
    if in_fiber() {
        yield_now();
    }
}

/// Waits; false if the caller was cancelled, or its own deadline has passed.
fn pause(until: Instant) -> bool {
    while clock::now() < until {
        if park::wait(Reason::Call, Some(until)).is_err() && clock::now() < until {
            return false;
        }
    }
    true
}

/// Tells whoever waits that the server is down, when it is dropped: also if one of its fibers could not be waited for.
struct Going<'a>(&'a Drain);

impl Drop for Going<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.down = Down::Yes;
        let waiters = state.waiters.take_all();
        drop(state);
        waiters.wake();
    }
}

/// Tells whoever waits that the drain has ended, when it is dropped: also if it has panicked.
struct Ending<'a>(&'a Drain);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.ended.get_or_insert(Drained::Cut);
        let waiters = state.waiters.take_all();
        drop(state);
        waiters.wake();
    }
}
