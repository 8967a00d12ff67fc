//! What really happened: each call that was made, each execution, and what each caller was told. Outside of all hosts, so it survives crashes and
//! sees both sides.
//!
//! Broken promises are found when they are broken, or by [`Ledger::close`]:
//! * A call that runs at most once, also a one-way one, runs no second time, on whichever server.
//! * A value was made by an execution of that very call.
//! * `executed()`: after *No* it has not run and never does; after *Yes* it has.
//! * No call is refused for its xid or its acknowledgements: clients keep to their sessions.
//! * A call ends within its timeout, unless its client is paused now and then, and does not begin to run when that is over.
//! * A server knows of no more time than the caller has.
//! * Ordered calls of a caller run one at a time, in the order in which it makes them, whichever servers they run at.
//! * Neither side takes what the other sends for a breach of the protocol.
//! * Who has all the time there is gets an answer.
//! * Where nothing disturbs, an ordered call whose turn has come runs at once: it waits for nothing but its lane. One whose turn does not come is
//!   refused in time.
//! * No handler of a strict server runs that its middleware has not let through.
//! * No session has more calls under way than its window, no server more that wait than it may have.

mod turns;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use fibra::rpc::error::Disconnect;
use fibra::rpc::{CallError, Executed};
use fibra::seeded::{self, Host};
use parking_lot::Mutex;

use super::desk::Place;
use super::history::History;
use turns::{Lane, LaneOf};

/// How much later than its timeout a call may end: turns of others, at a microsecond each, come before it.
const LATE: Duration = Duration::from_millis(150);

/// What a server says only to a client that does not keep to the protocol, or to nobody.
const NEVER_TOLD: [&str; 5] = [
    "the window ends",
    "the xid was used",
    "acknowledges what cannot",
    "has acknowledged this call",
    // All replies of a run are less than a session may keep.
    "too large to keep",
];

/// A server that gives a held call up before its time is up, of one as long as this, is heard before that.
const LONG: Duration = Duration::from_secs(1);

/// Nobody has to wait for so long: whatever disturbs has ended before.
const FOR_EVER: Duration = Duration::from_secs(200);

/// What a goaway says that takes for malformed what has come.
const MALFORMED: u8 = 1;

/// How often a call may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Once: of the session, streaming, or one-way.
    Once,
    /// As often as its client repeats it.
    Again,
}

/// A call's number in the ledger, which it has as an argument.
pub(crate) type Id = u64;

/// An execution's number, which is its reply.
pub(crate) type Run = u64;

#[derive(Debug)]
struct Call {
    kind: Kind,
    what: &'static str,
    runs: u32,
    told: Option<Executed>,
    /// Its caller waits for no answer.
    is_given_up: bool,
    /// How long its caller waits.
    timeout: Duration,
    /// When it was on its way to its server, if that is of interest.
    out_at: Option<Duration>,
}

/// What has come of all calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) calls: u64,
    pub(crate) runs: u64,
    pub(crate) values: u64,
    pub(crate) yes: u64,
    pub(crate) no: u64,
    pub(crate) maybe: u64,
    /// Nobody has asked.
    pub(crate) untold: u64,
    /// Of all that was told, in its order.
    pub(crate) hash: u64,
}

/// One life of a server: from its bind to its end.
#[derive(Debug, Default)]
struct Life {
    waiting_max: usize,
    window: usize,
    waiting: usize,
    /// Calls of sessions that run, by client.
    of_session: BTreeMap<u32, Vec<Id>>,
    keeps_sessions: bool,
    /// How many calls its middleware has let through whose handlers have not begun; none if it has no middleware.
    entered: Option<u64>,
    /// The last ordered call that has begun, by caller and lane.
    turns: BTreeMap<(u64, u32), u64>,
    lanes: BTreeMap<LaneOf, Lane>,
}

#[derive(Debug, Default)]
struct Book {
    calls: Vec<Call>,
    /// Whose each execution was.
    runs: Vec<Id>,
    lives: Vec<Life>,
    /// The ordered calls that run, and where.
    in_turn: Vec<(Place, Id, usize)>,
    /// How soon an ordered call begins that may; `None`: something disturbs.
    promptness: Option<Duration>,
    broken: Vec<String>,
    is_late_by_pauses: bool,
    tally: Tally,
    pub(crate) history: History,
}

/// See the [module](self). A clone is the same ledger.
#[derive(Clone, Debug)]
pub(crate) struct Ledger(Arc<Mutex<Book>>);

/// A handler that runs.
#[derive(Debug)]
pub(crate) struct Running {
    ledger: Ledger,
    life: usize,
    client: Option<u32>,
    id: Id,
    pub(crate) run: Run,
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut book = self.ledger.0.lock();
        let life = &mut book.lives[self.life];
        life.waiting -= 1;
        if let Some(client) = self.client {
            life.of_session.entry(client).or_default().retain(|id| *id != self.id);
        }
    }
}

impl Ledger {
    /// `is_late_by_pauses`: whether clients may be paused, and be told late. `promptness`: how soon an ordered call begins that may.
    pub(crate) fn new(is_late_by_pauses: bool, promptness: Option<Duration>) -> Self {
        Self(Arc::new(Mutex::new(Book { is_late_by_pauses, promptness, ..Book::default() })))
    }

    /// A server begins: its number.
    pub(crate) fn life(&self, waiting_max: usize, window: usize, keeps_sessions: bool, is_strict: bool) -> usize {
        let mut book = self.0.lock();
        let entered = is_strict.then_some(0);
        book.lives.push(Life { waiting_max, window, keeps_sessions, entered, ..Life::default() });
        book.lives.len() - 1
    }

    /// A call is about to be made.
    pub(crate) fn call(&self, kind: Kind, what: &'static str) -> Id {
        let mut book = self.0.lock();
        let timeout = Duration::MAX;
        book.calls.push(Call { kind, what, runs: 0, told: None, is_given_up: false, timeout, out_at: None });
        book.calls.len() as Id - 1
    }

    /// Its caller waits for no longer than that.
    pub(crate) fn within(&self, id: Id, timeout: Duration) {
        self.0.lock().calls[id as usize].timeout = timeout;
    }

    /// How long a call's caller waits.
    pub(crate) fn timeout(&self, id: Id) -> Duration {
        self.0.lock().calls[id as usize].timeout
    }

    /// A strict server's middleware has been asked.
    pub(crate) fn enter(&self, life: usize) {
        let mut book = self.0.lock();
        let entered = &mut book.lives[life].entered;
        *entered = entered.map(|entered| entered + 1);
    }

    /// A handler begins. `client`: whose session the call belongs to, if it does.
    pub(crate) fn begin(&self, id: Id, life: usize, client: Option<u32>) -> Running {
        let mut guard = self.0.lock();
        let book = &mut *guard;
        let place = &mut book.lives[life];
        place.waiting += 1;
        let (waiting, mut beyond) = (place.waiting, None);
        if let Some(entered) = &mut place.entered {
            match entered.checked_sub(1) {
                Some(left) => *entered = left,
                None => {
                    beyond = Some(format!("the handler of call {id} runs, and its server's middleware was not asked"))
                }
            }
        }
        // Whoever runs without waiting comes on top: one fiber at a time.
        if waiting > place.waiting_max + 1 {
            beyond = Some(format!("{waiting} handlers at once, {} may wait", place.waiting_max));
        }
        if let Some(client) = client {
            let of_session = place.of_session.entry(client).or_default();
            of_session.push(id);
            // What nobody waits for is out of the window.
            let is_awaited = |id: &&Id| {
                let call = &book.calls[**id as usize];
                call.told.is_none() && !call.is_given_up
            };
            let awaited = of_session.iter().filter(is_awaited).count();
            // What a lost session has let go of may not have been told yet.
            if awaited > 2 * place.window {
                beyond = Some(format!("{awaited} calls of a session at once, its window is {}", place.window));
            }
        }
        if let Some(beyond) = beyond {
            book.breaks(beyond);
        }
        let run = book.runs.len() as Run;
        book.runs.push(id);
        // What a crashed host does has no effect.
        if is_up() {
            book.tally.runs += 1;
            let call = &mut book.calls[id as usize];
            call.runs += 1;
            let (runs, what) = (call.runs, call.what);
            match (call.kind, call.told) {
                (Kind::Once, _) if runs > 1 => book.breaks(format!("call {id} ({what}) runs for the {runs}. time")),
                (_, Some(Executed::No)) => {
                    book.breaks(format!("call {id} ({what}) runs after its caller was told that it never will"))
                }
                _ => {}
            }
        }
        drop(guard);
        Running { ledger: self.clone(), life, client, id, run }
    }

    /// A caller waits no more, and will not be told.
    pub(crate) fn give_up(&self, id: Id) {
        self.0.lock().calls[id as usize].is_given_up = true;
    }

    /// A caller has got this. `took`: by its own clock.
    pub(crate) fn told<E: Debug>(&self, id: Id, result: &Result<Run, CallError<E>>, took: Duration, timeout: Duration) {
        if !is_up() {
            return;
        }
        let executed = match result {
            Ok(run) => {
                let mut book = self.0.lock();
                if book.runs.get(*run as usize) != Some(&id) {
                    let owner = book.runs.get(*run as usize).copied();
                    book.breaks(format!("call {id} got the reply of {owner:?}"));
                }
                book.tally.values += 1;
                Executed::Yes
            }
            Err(error) => {
                if let CallError::BadReply { .. }
                | CallError::UnknownMethod { .. }
                | CallError::BadArguments { .. }
                | CallError::BadMetadata { .. } = error
                {
                    self.breaks(format!("call {id}: {error:?}"));
                }
                if let CallError::Refused { message, .. } = error
                    && NEVER_TOLD.iter().any(|never| message.contains(never))
                {
                    self.breaks(format!("call {id}: {error:?}"));
                }
                if let CallError::Disconnected { cause, .. } = error
                    && is_malformed(cause)
                {
                    self.breaks(format!("call {id}: {error:?}"));
                }
                let has_waited = match error {
                    CallError::Timeout { after, .. } => *after > FOR_EVER,
                    CallError::Disconnected { .. } => timeout > FOR_EVER && took >= timeout,
                    // Its turn has not come.
                    CallError::Refused { .. } => timeout > FOR_EVER && took > FOR_EVER,
                    _ => false,
                };
                if has_waited {
                    self.breaks(format!("call {id} waits for ever: {error:?}"));
                }
                error.executed()
            }
        };
        let mut book = self.0.lock();
        if took > timeout + LATE && !book.is_late_by_pauses {
            let what = book.calls[id as usize].what;
            book.breaks(format!("call {id} ({what}) took {took:?}, its timeout was {timeout:?}: {result:?}"));
        }
        let promptness = book.promptness;
        let call = &mut book.calls[id as usize];
        call.told = Some(executed);
        let (runs, what) = (call.runs, call.what);
        // Where frames may take longer than that, connections are given up that only were slow, and nobody can know.
        let is_long = call.timeout > LONG && promptness.is_some_and(|soon| soon < call.timeout);
        if executed == Executed::Maybe && runs == 0 && is_long && call.out_at.is_some() {
            book.breaks(format!(
                "call {id} ({what}) was held until nobody waited any more, and not refused: {result:?}"
            ));
        }
        match (executed, runs) {
            (Executed::No, 1..) => {
                book.breaks(format!("call {id} ({what}) has run, its caller was told that it has not: {result:?}"))
            }
            (Executed::Yes, 0) => {
                book.breaks(format!("call {id} ({what}) has not run, its caller was told that it has: {result:?}"))
            }
            _ => {}
        }
        let tally = &mut book.tally;
        *(match executed {
            Executed::No => &mut tally.no,
            Executed::Yes => &mut tally.yes,
            Executed::Maybe => &mut tally.maybe,
        }) += 1;
        tally.hash = (tally.hash ^ (id << 2) ^ executed as u64).wrapping_mul(0x0100_0000_01B3).rotate_left(23);
    }

    /// How often a call has run.
    pub(crate) fn runs(&self, id: Id) -> u32 {
        self.0.lock().calls[id as usize].runs
    }

    /// Something is not as it has to be. On a crashed host nothing is.
    pub(crate) fn breaks(&self, what: String) {
        if is_up() {
            self.0.lock().breaks(what);
        }
    }

    /// Lets `f` at the registers and their history; without effect on a crashed host.
    pub(crate) fn history<R>(&self, f: impl FnOnce(&mut History) -> R) -> R {
        f(&mut self.0.lock().history)
    }

    /// All is over: what was broken, and what came of it all.
    pub(crate) fn close(&self) -> (Vec<String>, Tally) {
        let mut book = self.0.lock();
        if let Err(reason) = book.history.check() {
            book.breaks(reason);
        }
        let handlers: usize = book.lives.iter().map(|life| life.waiting).sum();
        if handlers > 0 {
            book.breaks(format!("{handlers} handlers are left"));
        }
        let mut tally = book.tally;
        tally.calls = book.calls.len() as u64;
        tally.untold = book.calls.iter().filter(|call| call.told.is_none()).count() as u64;
        (std::mem::take(&mut book.broken), tally)
    }
}

impl Book {
    fn breaks(&mut self, what: String) {
        let at = seeded::elapsed().unwrap_or_default();
        self.broken.push(format!("{at:?}: {what}"));
    }
}

/// Whether a connection has ended since one side has taken for malformed what the other has sent; but for a frame that took too long.
fn is_malformed(cause: &Disconnect) -> bool {
    match cause {
        Disconnect::Malformed(_) => true,
        Disconnect::GoAway { code, message } => *code == MALFORMED && !message.contains("was not there as a whole"),
        _ => false,
    }
}

/// Whether what the caller does has an effect.
pub(crate) fn is_up() -> bool {
    Host::current().is_none_or(Host::is_up)
}
