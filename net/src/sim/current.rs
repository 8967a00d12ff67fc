//! Which simulated network the sockets of this thread belong to.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::seeded::{self, Host};
use parking_lot::Mutex;
use rustix::io::Errno;

use super::link::nanos;
use super::state::State;
use crate::budget;

/// A network that fibers, rules and the run's world share.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// When something next happens; `u64::MAX`: never. Beside the lock, since it is asked at each switch.
    next: AtomicU64,
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Shared>>> = const { RefCell::new(None) };
    /// What the next socket of this thread is called. Never begun anew, so that a socket that has outlived its run names none of another.
    static SOCKETS: Cell<u32> = const { Cell::new(0) };
}

impl Shared {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State::new(seed)), next: AtomicU64::new(u64::MAX) })
    }

    /// Lets `f` at the state, lets happen what is due then, and tells who is to be told.
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state.lock();
        if let Some(elapsed) = seeded::elapsed() {
            state.now = nanos(elapsed);
        }
        let result = f(&mut state);
        state.pump();
        let is_asked = !state.boots.is_empty() || !state.faults.is_empty();
        let next = if is_asked { Some(0) } else { state.agenda.next() };
        self.next.store(next.unwrap_or(u64::MAX), Ordering::Relaxed);
        if !state.raised.is_empty() {
            let raised = std::mem::take(&mut state.raised);
            drop(state);
            for (tie, happening) in raised {
                tie.dispatch(happening);
            }
        }
        result
    }

    pub(super) fn next(&self) -> Option<u64> {
        Some(self.next.load(Ordering::Relaxed)).filter(|next| *next != u64::MAX)
    }
}

/// Makes a network that of this thread, as long as it lives.
pub(super) struct Installed(Arc<Shared>);

impl Installed {
    /// # Errors
    ///
    /// `EMFILE`: the process has no descriptor left for its simulated sockets, which share one.
    pub(super) fn new(shared: &Arc<Shared>) -> io::Result<Self> {
        if NO_SOCKET.get().is_none() {
            // Another thread may come first.
            let _ = NO_SOCKET.set(File::open("/dev/null")?);
        }
        // What went on here before has no part in it.
        budget::renew();
        shared.with(|state| state.begin(SOCKETS.get()));
        CURRENT.with_borrow_mut(|current| *current = Some(Arc::clone(shared)));
        Ok(Self(Arc::clone(shared)))
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        CURRENT.with_borrow_mut(|current| *current = None);
        SOCKETS.set(self.0.with(|state| state.next_socket()));
    }
}

/// Whether the sockets that are made here are simulated ones.
#[inline]
pub(crate) fn is_here() -> bool {
    CURRENT.try_with(|current| current.borrow().is_some()).unwrap_or(false)
}

/// Lets `f` at the network of this thread.
///
/// # Errors
///
/// What `f` reports, as the kernel would; `BADF` without a network; as any wait's on a host that has crashed.
pub(super) fn call<R>(f: impl FnOnce(&mut State) -> Result<R, Errno>) -> io::Result<R> {
    let called = CURRENT.try_with(|current| current.borrow().as_ref().map(|shared| shared.with(f))).ok().flatten();
    match called.unwrap_or(Err(Errno::BADF)) {
        Ok(value) => Ok(value),
        Err(Errno::BADF | Errno::NETDOWN) if Host::current().is_some_and(|host| !host.is_up()) => {
            Err(Interrupted::Cancelled.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// The addresses of a host of the simulation.
pub(crate) fn lookup(name: &str) -> io::Result<Vec<IpAddr>> {
    let addrs = call(|state| Ok(state.lookup(name)))?;
    match addrs.is_empty() {
        true => Err(io::Error::other(format!("failed to look up '{name}': there is no such host in the simulation"))),
        false => Ok(addrs),
    }
}

/// What stands for the descriptor of a simulated socket.
static NO_SOCKET: OnceLock<File> = OnceLock::new();

/// Something that has a descriptor and is no socket, so that whatever is done to it fails.
pub(super) fn no_socket() -> BorrowedFd<'static> {
    NO_SOCKET.get().expect("opened with the first network").as_fd()
}
