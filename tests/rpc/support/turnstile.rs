//! Where handlers wait, so that a test decides when they go on.

use std::sync::{Mutex, MutexGuard, PoisonError};

use fibra::park::{self, Reason, Unparker};

/// Whoever passes says so, and waits until it is open.
#[derive(Debug, Default)]
pub(crate) struct Turnstile {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entered: usize,
    open: bool,
    waiters: Vec<Unparker>,
}

impl Turnstile {
    /// Says that the caller is here.
    pub(crate) fn enter(&self) {
        let mut state = self.state();
        state.entered += 1;
        wake(state);
    }

    /// [Enters](Self::enter), and waits until it is open, or the fiber is cancelled.
    pub(crate) fn pass(&self) {
        self.enter();
        self.wait_until(|state| state.open);
    }

    /// Waits until so many have entered.
    pub(crate) fn wait_for(&self, entered: usize) {
        self.wait_until(|state| state.entered >= entered);
    }

    pub(crate) fn entered(&self) -> usize {
        self.state().entered
    }

    /// Lets everybody pass, from now on.
    pub(crate) fn open(&self) {
        let mut state = self.state();
        state.open = true;
        wake(state);
    }

    fn wait_until(&self, condition: impl Fn(&State) -> bool) {
        loop {
            let mut state = self.state();
            if condition(&state) || fibra::cancel::check().is_err() {
                return;
            }
            state.waiters.push(park::current());
            drop(state);
            park::park(Reason::Parked);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake(mut state: MutexGuard<'_, State>) {
    let waiters = std::mem::take(&mut state.waiters);
    drop(state);
    for waiter in waiters {
        waiter.unpark();
    }
}
