//! What an actor knows to be right: of its waits, of its children's ends, of what is ambient.

use std::cell::RefCell;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;

use fibra_scheduler::cancel::{self, Interrupted};
use fibra_scheduler::{clock, fiber_local};

use crate::actor::Actor;
use crate::program::Fate;
use crate::world::Token;

fiber_local! {
    static LOCAL: RefCell<Option<Token>> = RefCell::new(None);
}

/// What a scope's panic says.
pub(crate) const SCOPE_PANICKED: &str = "a scoped fiber panicked";

/// When a wait must fail.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strict {
    /// If what it waits for is there already, it may succeed in spite of everything.
    Never,
    /// If the fiber was cancelled before.
    Cancelled,
    /// If the fiber was cancelled before, or its deadline has passed.
    Always,
}

impl Actor {
    pub(crate) fn broken(&self, what: impl AsRef<str>) {
        self.world.broken(format!("fiber {}: {}", self.number, what.as_ref()));
    }

    /// Runs `wait` and judges how it ends.
    pub(crate) fn watch(
        &self,
        strict: Strict,
        wait: impl FnOnce() -> Result<(), Interrupted>,
    ) -> Result<(), Interrupted> {
        let cancelled = !self.shielded && self.world.fibers[self.number].cancel_done.load(SeqCst);
        let late = self.deadline.is_some_and(|deadline| deadline <= clock::now());
        let result = wait();
        match result {
            Ok(()) if cancelled && strict != Strict::Never => self.broken("a wait did not see the cancellation"),
            Ok(()) if late && strict == Strict::Always => {
                self.broken("a wait did not see that its deadline has passed")
            }
            Ok(()) => {}
            Err(Interrupted::Cancelled) if self.shielded => self.broken("cancelled under a shield"),
            Err(Interrupted::Cancelled) if !self.world.may_be_cancelled(self.number) => {
                self.broken("cancelled by nobody");
            }
            Err(Interrupted::Cancelled) => {}
            Err(_) if cancelled && strict != Strict::Never => self.broken("TimedOut hides a cancellation"),
            Err(_) if self.deadline.is_none_or(|deadline| clock::now() < deadline) => {
                self.broken("timed out too early")
            }
            Err(_) => {}
        }
        result
    }

    /// Judges the result of a fiber that was joined.
    pub(crate) fn watch_end(&self, child: usize, result: thread::Result<Token>) {
        let record = &self.world.fibers[child];
        let (runs, ends) = (record.runs.load(SeqCst), record.ends.load(SeqCst));
        if runs != ends {
            self.broken(format!("fiber {child} was joined before its end"));
        }
        let wrong = match (result, self.world.program.fate(child)) {
            (Ok(token), Fate::Returns) if token.fiber == child && runs == 1 => return,
            (Ok(token), fate) => format!("a value of fiber {}, not {fate:?}", token.fiber),
            (Err(payload), fate) => {
                let refused = payload.is::<Interrupted>() && runs == 0;
                let by_scope = is_scope_panic(&*payload);
                match payload.downcast::<Token>() {
                    Ok(token) if token.fiber == child && fate == Fate::Panics => return,
                    Ok(token) => format!("a panic of fiber {}, not {fate:?}", token.fiber),
                    // At shutdown, a fiber that has not started is refused, and its scope panics.
                    Err(_) if (refused || by_scope) && self.world.is_stopping() => return,
                    Err(_) if by_scope && fate == Fate::ScopePanics => return,
                    Err(payload) => format!("{}, not {fate:?}", describe(&*payload)),
                }
            }
        };
        self.broken(format!("fiber {child} ended with {wrong}"));
    }

    pub(crate) fn watch_ambient(&self) {
        if cancel::deadline() != self.deadline {
            self.broken("its ambient deadline is another's");
        }
    }

    pub(crate) fn watch_local(&self) {
        let before = LOCAL.with(|local| local.borrow_mut().replace(Token::new(&self.world, self.number)));
        if before.is_some_and(|token| token.fiber != self.number) {
            self.broken("its fiber local is another's");
        }
    }
}

pub(crate) fn is_scope_panic(payload: &(dyn std::any::Any + Send)) -> bool {
    payload.downcast_ref::<&str>() == Some(&SCOPE_PANICKED)
}

pub(crate) fn describe(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.or_else(|| payload.downcast_ref::<Interrupted>().map(ToString::to_string)).unwrap_or_else(|| "a panic".into())
}
