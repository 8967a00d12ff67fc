//! The connections and their callers.
//!
//! Each connection has a fiber that makes it, and that then starts its callers on the same worker: nothing but replies of a caller's own connection
//! wakes it. All wait for one start, once every connection is there.
//!
//! Invariant: no lock is held over a call.

use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fibra::cancel::{self, Interrupted};
use fibra::clock;
use fibra::rpc::client::{Proxy, RetryPolicy};
use fibra::rpc::service::Method;
use fibra::rpc::{CallError, Limits};
use fibra::sync::OnceLock;
use fibra::sync::channel::{self, Receiver, Sender};
use serde::de::IgnoredAny;

use super::interrupt::Interrupt;
use super::progress::Progress;
use super::schedule::Schedule;
use super::tally::Tally;
use crate::connect::{Settings, connect_with};
use crate::failure::Failure;
use crate::options::Server;
use crate::value::{Layout, Value, json};

/// Tallies, so that callers of several workers seldom want the same.
const TALLIES: usize = 16;

/// By how much a sleep may be too long: a worker without anything to do waits in `epoll_wait`, by the millisecond.
const SLEEP_SLACK: Duration = Duration::from_micros(1_200);

/// What is to be done.
pub(super) struct Plan<'a> {
    pub(super) server: &'a Server,
    pub(super) method: Method,
    pub(super) args: Vec<Value>,
    pub(super) callers: usize,
    pub(super) connections: usize,
    pub(super) timeout: Duration,
    pub(super) retry: RetryPolicy,
}

/// What came of it.
pub(super) struct Ran {
    pub(super) tally: Tally,
    pub(super) took: Duration,
    /// Calls that were due in an open loop, and that no caller was free to make.
    pub(super) not_made: u64,
    /// It was ended by Ctrl-C.
    pub(super) interrupted: bool,
}

/// What the callers are waited for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// All of one connection have ended.
    Ended,
    /// None of them is to be waited for.
    Interrupted,
}

/// Says so when it is dropped: who panics has ended, too.
struct Ends(Sender<Event>);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.send(Event::Ended);
    }
}

/// What the callers share.
struct Shared {
    method: Method,
    args: Vec<Value>,
    schedule: Schedule,
    tallies: Vec<Mutex<Tally>>,
    start: OnceLock<Instant>,
}

/// Connects, calls until the schedule ends, and waits for the answers.
///
/// # Errors
///
/// [`Failure`]: a connection could not be made.
pub(super) fn run(plan: &Plan<'_>, schedule: Schedule) -> Result<Ran, Failure> {
    let shared = Arc::new(Shared {
        method: plan.method.clone(),
        args: plan.args.clone(),
        schedule,
        tallies: (0..TALLIES.min(plan.connections)).map(|_| Mutex::default()).collect(),
        start: OnceLock::new(),
    });
    let (connected, connections) = channel::unbounded();
    let (tell, events) = channel::unbounded();
    for number in 0..plan.connections {
        let callers = plan.callers / plan.connections + usize::from(number < plan.callers % plan.connections);
        let mut settings = Settings::of(plan.server)?;
        let limits = Limits::default();
        settings.limits.in_flight = limits.in_flight.max(callers);
        settings.limits.window = limits.window.max(callers);
        let (timeout, retry) = (plan.timeout, plan.retry);
        let (connected, ends, shared) = (connected.clone(), Ends(tell.clone()), Arc::clone(&shared));
        fibra::spawn(move || {
            let proxy = match connect_with(&settings) {
                Ok(proxy) => proxy.within(timeout).retry(retry),
                Err(failure) => return connected.send(Err(failure)).unwrap_or_default(),
            };
            // Who is not there any more has met with an error, and waits for nobody.
            if connected.send(Ok(())).is_ok() {
                drop(connected);
                call_by_many(&proxy, callers, number, &shared);
                drop(ends);
            }
        });
    }
    drop(connected);
    connections.iter().collect::<Result<(), Failure>>()?;

    // Nobody listens who has met with an error.
    let interrupt = Interrupt::listen(move || tell.send(Event::Interrupted).unwrap_or_default());
    let _interrupt = interrupt.map_err(|error| Failure::not_run(format!("Ctrl-C cannot be listened for: {error}")))?;
    let start = clock::now();
    // It has not been set before.
    let _ = shared.start.set(start);
    let interrupted = wait(&events, plan.connections, &shared, start);
    let took = clock::now().saturating_duration_since(start);
    let tally = shared.tally();
    // Of those that were due at its end some may be under way.
    let due = if interrupted { None } else { shared.schedule.due() };
    let not_made = due.map_or(0, |due| due.saturating_sub(tally.calls() + tally.failed()));
    Ok(Ran { tally, took, not_made, interrupted })
}

/// Waits for all connections' callers, and shows how far they are. Whether it was interrupted.
fn wait(events: &Receiver<Event>, connections: usize, shared: &Shared, start: Instant) -> bool {
    let mut progress = Progress::new();
    let mut left = connections;
    while left > 0 {
        match events.recv_timeout(progress.interval()) {
            Ok(Event::Ended) => left -= 1,
            Ok(Event::Interrupted) => return true,
            Err(_) => {
                let passed = clock::now().saturating_duration_since(start);
                progress.show(shared.schedule.done(passed), passed, &shared.tally());
            }
        }
    }
    false
}

/// The callers of one connection.
fn call_by_many(proxy: &Proxy, callers: usize, number: usize, shared: &Arc<Shared>) {
    let proxy = Rc::new(proxy.clone());
    let callers: Vec<_> = (0..callers)
        .map(|_| {
            let (proxy, shared) = (Rc::clone(&proxy), Arc::clone(shared));
            fibra::spawn_local(move || call(&proxy, &shared.tallies[number % shared.tallies.len()], &shared))
        })
        .collect();
    for caller in callers {
        // A caller that panicked has said so.
        let _ = caller.join();
    }
}

/// One caller: a call after the other.
fn call(proxy: &Proxy, tally: &Mutex<Tally>, shared: &Shared) {
    let Ok(&start) = shared.start.wait() else { return };
    while let Some(due) = shared.schedule.next(start, clock::now()) {
        if wait_until(due).is_err() {
            return;
        }
        let result: Result<IgnoredAny, CallError<Value>> = proxy.call_fallible(&shared.method, &shared.args);
        if cancel::check().is_err() {
            // After an interrupt: the results are out.
            return;
        }
        let latency = clock::now().saturating_duration_since(due);
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(IgnoredAny) => tally.succeeded(latency),
            Err(error) => tally.failed_with(&error.map_application(|error| json(&error, Layout::Line))),
        }
    }
}

/// Waits for a time, to the microsecond: what a call is late by would be taken for the server's doing.
fn wait_until(due: Instant) -> Result<(), Interrupted> {
    let early = due.saturating_duration_since(clock::now());
    if early > SLEEP_SLACK {
        fibra::sleep(early - SLEEP_SLACK)?;
    }
    while clock::now() < due {
        fibra::yield_now();
    }
    Ok(())
}

impl Shared {
    /// All that has been tallied so far.
    fn tally(&self) -> Tally {
        let mut sum = Tally::default();
        for tally in &self.tallies {
            sum.add(&tally.lock().unwrap_or_else(PoisonError::into_inner));
        }
        sum
    }
}
