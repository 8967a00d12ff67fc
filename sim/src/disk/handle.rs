//! [`Disk`]: what its users hold, and what goes around each operation.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use fibra_scheduler::cancel::{Interrupted, shield};
use fibra_scheduler::seeded::Host;
use fibra_scheduler::{in_fiber, sleep};
use parking_lot::Mutex;

use super::builder::Builder;
use super::faults::Faults;
use super::file::File;
use super::state::{Kind, State, has_crashed};
use super::statistics::Statistics;

/// What ends the machine.
type Crash = Arc<dyn Fn() + Send + Sync>;

/// The disk of a machine. A clone is the same disk. See the [module](super).
///
/// It belongs to one machine, of one run: who uses it from another host while the first is up gets an error, `EBUSY`. Fibers and threads on no
/// host may use it at any time; for them a crash is what [`restart`](Disk::restart) says.
///
/// # Errors
///
/// Of all its calls that return [`io::Result`]:
///
/// * As those of a system: `ENOENT`, `EEXIST`, `ENOSPC`; `EIO` by [`Faults`].
/// * On a host that has crashed, as each wait: [`is_cancelled`](fibra_scheduler::cancel::is_cancelled). After a crash on no host, an error
///   until [`restart`](Disk::restart).
#[derive(Clone)]
pub struct Disk(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    crash: Mutex<Option<Crash>>,
}

impl Disk {
    /// An empty disk with the default settings. Its name keeps what it draws apart from other disks'.
    pub fn new(name: &str) -> Self {
        Self::builder(name).build()
    }

    /// A builder with the default settings.
    pub fn builder(name: &str) -> Builder {
        Builder::new(name)
    }

    pub(super) fn with(settings: Builder) -> Self {
        Self(Arc::new(Shared { state: Mutex::new(State::new(settings)), crash: Mutex::default() }))
    }

    /// Opens a file that is there, to read and write.
    ///
    /// # Errors
    ///
    /// `NotFound`, and those of the [disk](Disk#errors).
    pub fn open(&self, name: &str) -> io::Result<File> {
        self.open_as(name, false, true)
    }

    /// Opens a file and empties it, or makes a new one.
    ///
    /// # Errors
    ///
    /// Those of the [disk](Disk#errors).
    pub fn create(&self, name: &str) -> io::Result<File> {
        let file = self.open_as(name, true, true)?;
        if file.len()? > 0 {
            file.set_len(0)?;
        }
        Ok(file)
    }

    /// Makes a new file.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, and those of the [disk](Disk#errors).
    pub fn create_new(&self, name: &str) -> io::Result<File> {
        self.open_as(name, true, false)
    }

    /// Opens a file as it is, or makes a new one.
    ///
    /// # Errors
    ///
    /// Those of the [disk](Disk#errors).
    pub fn open_or_create(&self, name: &str) -> io::Result<File> {
        self.open_as(name, true, true)
    }

    fn open_as(&self, name: &str, may_create: bool, may_be_there: bool) -> io::Result<File> {
        let kind = if may_create { Kind::Write } else { Kind::Look };
        let opened = self.operate(kind, |state| state.open(name, may_create, may_be_there))?;
        Ok(File::new(self.clone(), opened))
    }

    /// Removes a file. Who has it open goes on using it.
    ///
    /// # Errors
    ///
    /// `NotFound`, and those of the [disk](Disk#errors).
    pub fn remove_file(&self, name: &str) -> io::Result<()> {
        self.operate(Kind::Write, |state| state.remove(name))
    }

    /// Renames a file, in the place of one that has the new name, if there is.
    ///
    /// # Errors
    ///
    /// `NotFound`, and those of the [disk](Disk#errors).
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.operate(Kind::Write, |state| state.rename(from, to))
    }

    /// The names of all files, in alphabetical order.
    ///
    /// # Errors
    ///
    /// Those of the [disk](Disk#errors).
    pub fn list(&self) -> io::Result<Vec<String>> {
        self.operate(Kind::Look, |state| Ok(state.list()))
    }

    /// Makes all changes of names durable.
    ///
    /// # Errors
    ///
    /// Those of the [disk](Disk#errors).
    pub fn sync_directory(&self) -> io::Result<()> {
        self.operate(Kind::Sync, State::sync_directory)
    }

    /// Crashes the machine, if it is up, and starts it anew: what was not synced is decided now, and files that are open can no longer be used. For
    /// who is on no host, and between two runs with one disk.
    pub fn restart(&self) {
        self.0.state.lock().restart();
    }

    /// Crashes the machine in the operation after so many others that change or sync something: before it, or after it and before that is known.
    /// Counted from now on, in place of what was said before.
    pub fn crash_after(&self, operations: u64) {
        self.0.state.lock().crash_after = Some(operations);
    }

    /// What the disk does to crash its machine, by [`Faults::crashes`] or [`crash_after`](Disk::crash_after): for one that has a network, too, what
    /// crashes both, as `disk.on_crash(move || hosts.restart("bank"))` does with the [hosts](fibra_net::sim::Hosts) of a simulation. Default: [`Host::crash`] of the host that uses it, or for who is on none, all fails until [`restart`](Disk::restart).
    pub fn on_crash(&self, crash: impl Fn() + Send + Sync + 'static) {
        *self.0.crash.lock() = Some(Arc::new(crash));
    }

    /// Changes what goes wrong by itself, from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.0.state.lock().settings.faults = faults;
    }

    /// Flips a bit of the byte at `offset` of a file, on the disk itself. Whether there was one, and not one that has yet to be synced.
    ///
    /// # Errors
    ///
    /// `NotFound`, and those of the [disk](Disk#errors).
    pub fn rot(&self, name: &str, offset: u64) -> io::Result<bool> {
        self.operate(Kind::Look, |state| {
            let file = state.open(name, false, true)?;
            state.rot(file, offset)
        })
    }

    /// What it has done until now.
    pub fn statistics(&self) -> Statistics {
        self.0.state.lock().statistics
    }

    /// Does one operation: by whom it may be done, in the time that it takes, and with the crash that comes in it.
    pub(super) fn operate<R>(&self, kind: Kind, f: impl FnOnce(&mut State) -> io::Result<R>) -> io::Result<R> {
        let mut state = self.0.state.lock();
        state.enter()?;
        let latency = state.latency(kind);
        // What is written may be lost in a crash from now on; what is read, or synced, is so when it is known.
        let is_late = matches!(kind, Kind::Read | Kind::Sync);
        if is_late && !latency.is_zero() {
            drop(state);
            wait(latency)?;
            state = self.0.state.lock();
            state.enter()?;
        }
        if let Some(after) = state.crashes(kind) {
            if after {
                // What came of it nobody learns.
                let _ = f(&mut state);
            }
            let crash = self.0.crash.lock().clone();
            match crash {
                Some(crash) => {
                    state.crash_after = None;
                    drop(state);
                    crash();
                }
                None => state.crash(),
            }
            return Err(Host::current().map_or_else(has_crashed, |_| Interrupted::Cancelled.into()));
        }
        let done = f(&mut state);
        drop(state);
        if !is_late && !latency.is_zero() {
            wait(latency)?;
        }
        done
    }
}

/// Nothing but a crash interrupts who waits for a disk.
fn wait(latency: Duration) -> io::Result<()> {
    if in_fiber() { Ok(shield(|| sleep(latency))?) } else { Ok(()) }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.state.try_lock() {
            Some(state) => f.debug_struct("Disk").field("name", &state.settings.name).finish_non_exhaustive(),
            None => f.debug_struct("Disk").finish_non_exhaustive(),
        }
    }
}
