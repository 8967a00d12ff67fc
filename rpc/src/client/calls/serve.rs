//! What the link does with the calls of its channel: it sends them again, completes them, ends them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use fibra_scheduler::park::Unparker;

use super::super::connection::Connection;
use super::entry::{Entry, Slot};
use super::freed::{Freed, wake};
use super::table::{Gate, Link, OUTSIDE, State};
use super::{Calls, Outcome, Status};
use crate::error::{ConnectError, Disconnect};
use crate::session::Xid;
use crate::waiters::Waiters;
use crate::wire::frame::GOAWAY_MALFORMED;
use crate::wire::header::{Kind, Malformed};

impl Calls {
    /// That fiber serves the channel.
    pub(in super::super) fn serve_by(&self, fiber: Unparker) {
        self.state.lock().server = Some(fiber);
    }

    /// Whether somebody waits for a connection; if not, the fiber is woken when somebody does. `None`: nobody ever will again.
    pub(in super::super) fn is_wanted(&self) -> Option<bool> {
        let mut state = self.state.lock();
        if state.finished {
            return None;
        }
        state.is_idle = state.unanswered == 0 && state.posting == 0 && !self.sought.load(Ordering::Acquire);
        Some(!state.is_idle)
    }

    /// There is a connection. All outstanding calls go out on it, in order of xid, but for those that may have run in a session that is not
    /// this one.
    pub(in super::super) fn connected(&self, connection: &Arc<Connection>, resumed: bool, window: usize) {
        let mut state = self.state.lock();
        state.connections += 1;
        state.window.resize(window);
        let mut wake = Vec::new();
        if !resumed {
            state.fail(&Disconnect::SessionLost, |entry| entry.in_session, &mut wake);
        }
        state.link = Link::Up(Arc::clone(connection));
        state.told = 1;
        self.sought.store(false, Ordering::Release);
        self.set_status(&state);
        let waiting = |(xid, entry): (&Xid, &Entry)| matches!(entry.slot, Slot::Waiting(_)).then_some(*xid);
        let mut xids: Vec<_> = state.calls.iter().filter_map(waiting).collect();
        xids.sort_unstable();
        for xid in xids {
            // Whoever waits for it may wait for others, too, or nobody does yet: nobody would wait for room.
            let _ = state.send_anyway(xid);
        }
        let posting = state.gate(Gate::Connection).take_all();
        // It may be wider than it was.
        let window = state.gate(Gate::Window).take_all();
        state.finish_if_retired();
        if state.finished {
            connection.outbox().finish();
        }
        drop(state);
        connection.outbox().wake_writer();
        wake.into_iter().for_each(|caller| caller.unpark());
        posting.wake();
        window.wake();
    }

    /// The connection is lost, and nothing more is written to it. False if there will be none any more: the channel is `over`, or nobody
    /// holds it.
    pub(in super::super) fn disconnected(&self, connection: &Connection, cause: &Disconnect, over: bool) -> bool {
        let exposed = connection.outbox().exposed();
        let mut state = self.state.lock();
        let mut wake = Vec::new();
        // What one side takes for broken, it would take for broken again. It is not known which call it was; one that is too long is
        // refused before it has left as a whole.
        let is_broken = matches!(cause, Disconnect::Malformed(_) | Disconnect::GoAway { code: GOAWAY_MALFORMED, .. });
        for entry in state.calls.values_mut().filter(|entry| matches!(entry.slot, Slot::Waiting(_))) {
            let bytes = entry.frame.len() as u64;
            let has_left = |end: u64| end <= exposed || (is_broken && end.saturating_sub(bytes) < exposed);
            entry.left |= entry.queued.take().is_some_and(has_left);
        }
        if is_broken {
            state.fail(cause, |_| true, &mut wake);
        }
        // Calls that stream end here, however long their callers hold them: nobody is to connect for them.
        let streams = connection.streams().remove_all();
        state.unanswered -= streams;
        wake.extend((0..streams).map_while(|_| state.gate(Gate::Places).next()));
        state.link = Link::Down(cause.clone());
        self.set_status(&state);
        let mut gates = None;
        if state.mobile || state.retired {
            state.let_go(&mut wake);
            gates = Some(state.open_gates());
        }
        state.finish_if_retired();
        let goes_on = !over && !state.finished;
        drop(state);
        gates.into_iter().flatten().for_each(Waiters::wake);
        wake.into_iter().for_each(|caller| caller.unpark());
        goes_on
    }

    /// There is no connection to be had at present.
    pub(in super::super) fn unreachable(&self, error: ConnectError) {
        let mut state = self.state.lock();
        if let Link::Down(cause) = &mut state.link {
            *cause = Disconnect::Unreachable(Arc::new(error));
        }
        drop(state);
        self.sought.store(false, Ordering::Release);
    }

    /// Another link takes the new calls, and those that have not left.
    pub(in super::super) fn retire(&self) {
        let mut state = self.state.lock();
        state.retired = true;
        self.set_status(&state);
        let mut wake = Vec::new();
        state.let_go(&mut wake);
        let gates = state.open_gates();
        state.finish_if_retired();
        let connection = state.connection();
        drop(state);
        if let Some(connection) = connection {
            connection.outbox().wake_writer();
            // For room that there may never be.
            connection.outbox().wake_waiting();
        }
        wake.into_iter().for_each(|caller| caller.unpark());
        gates.into_iter().for_each(Waiters::wake);
    }

    fn set_status(&self, state: &State) {
        let status = match state.link {
            // For good: who asks it finds the next one by that.
            _ if state.retired => Status::Retired,
            Link::Over(_) => Status::Over,
            Link::Up(_) => Status::Up,
            Link::Down(_) => Status::Down,
        };
        self.status.store(status as u8, Ordering::Release);
    }

    /// Nobody will call any more: what is queued is still written.
    pub(in super::super) fn finish(&self) {
        let mut state = self.state.lock();
        state.finished = true;
        if let Link::Up(connection) = &state.link {
            connection.outbox().finish();
        }
        let server = state.server.clone();
        drop(state);
        wake(server);
    }

    /// Ends all calls that have no answer yet, and admits no more.
    pub(in super::super) fn end(&self, cause: &Disconnect) {
        let mut state = self.state.lock();
        if let Link::Up(connection) = &state.link {
            connection.lose(cause.clone());
            let exposed = connection.outbox().exposed();
            for entry in state.calls.values_mut() {
                entry.left |= entry.queued.take().is_some_and(|end| end <= exposed);
            }
        }
        state.link = Link::Over(cause.clone());
        self.set_status(&state);
        let mut callers = Vec::new();
        if state.mobile || state.retired {
            state.let_go(&mut callers);
        }
        let xids: Vec<_> = state.calls.keys().copied().collect();
        callers.extend(xids.into_iter().filter_map(|xid| state.caller(xid)));
        let gates = state.open_gates();
        drop(state);
        callers.into_iter().for_each(|caller| caller.unpark());
        gates.into_iter().for_each(|gate| gate.wake());
    }

    /// Gives a caller its answer; counts it as late if the caller has gone.
    ///
    /// # Errors
    ///
    /// [`Malformed::Unexpected`]: there was no such call.
    pub(in super::super) fn complete(
        &self,
        xid: Xid,
        kind: Kind,
        outcome: impl FnOnce() -> Outcome,
    ) -> Result<(), Malformed> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let mut is_late = false;
        let (caller, freed) = match state.calls.get_mut(&xid).map(|entry| (&mut entry.slot, entry.left)) {
            Some((slot @ Slot::Waiting(_), left)) => {
                let mut outcome = outcome();
                if let Outcome::Failure { repeated, .. } = &mut outcome {
                    *repeated = left;
                }
                let caller = match std::mem::replace(slot, Slot::Done(outcome)) {
                    Slot::Waiting(caller) => caller,
                    Slot::Done(_) | Slot::Failed(_) | Slot::Moved => None,
                };
                let freed = state.ended(xid);
                state.finish_if_retired();
                (caller, freed)
            }
            Some((Slot::Done(_), _)) => return Err(Malformed::Unexpected { kind, xid }),
            None if xid > if xid < OUTSIDE { state.last } else { state.last_outside } => {
                return Err(Malformed::Unexpected { kind, xid });
            }
            Some((Slot::Failed(_) | Slot::Moved, _)) | None => {
                state.late_replies += 1;
                is_late = true;
                (None, Freed::default())
            }
        };
        drop(guard);
        wake(caller);
        freed.wake();
        if is_late {
            // A subscriber is the user's code: not under the lock.
            tracing::debug!(xid, "dropped a reply that came after its caller had given up");
        }
        Ok(())
    }
}

impl Calls {
    /// A frame has come for a call that nobody waits for any more.
    ///
    /// # Errors
    ///
    /// [`Malformed::Unexpected`]: there was no such call, or one that has no stream.
    pub(in super::super) fn expect_late(&self, xid: Xid, kind: Kind) -> Result<(), Malformed> {
        let state = self.state.lock();
        if xid < OUTSIDE || xid > state.last_outside || state.calls.contains_key(&xid) {
            return Err(Malformed::Unexpected { kind, xid });
        }
        Ok(())
    }
}

impl State {
    /// All who wait for something, to look again.
    fn open_gates(&mut self) -> [Waiters; 3] {
        [Gate::Places, Gate::Window, Gate::Connection].map(|gate| self.gate(gate).take_all())
    }

    /// Ends the calls that may have left and wait for an answer, if `which`.
    fn fail(&mut self, cause: &Disconnect, which: impl Fn(&Entry) -> bool, wake: &mut Vec<Unparker>) {
        let lost = |(xid, entry): (&Xid, &Entry)| {
            (entry.left && which(entry) && matches!(entry.slot, Slot::Waiting(_))).then_some(*xid)
        };
        let xids: Vec<_> = self.calls.iter().filter_map(lost).collect();
        for xid in xids {
            wake.extend(self.caller(xid));
            if let Some(entry) = self.calls.get_mut(&xid) {
                entry.slot = Slot::Failed(cause.clone());
            }
            // Now: what goes out next acknowledges it.
            self.ended(xid).join(wake);
        }
    }
}
