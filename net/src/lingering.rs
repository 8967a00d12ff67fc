//! Closing a socket that lingers (`SO_LINGER`), off the workers.
//!
//! The kernel waits in the `close` of the last descriptor, also of a non-blocking one. So there is a second descriptor, which outlives
//! the socket's own and is closed on the blocking pool while the fiber parks.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::panic::{RefUnwindSafe, UnwindSafe};

use fibra_scheduler::blocking;
use parking_lot::Mutex;

/// The second descriptor, if closing may take time. Drop it last.
#[derive(Debug, Default)]
pub(crate) struct Lingering(Mutex<Option<OwnedFd>>);

// Its lock is never held while user code runs, so a panic finds it consistent.
impl UnwindSafe for Lingering {}
impl RefUnwindSafe for Lingering {}

impl Lingering {
    pub(crate) fn set(&self, lingering: bool, fd: BorrowedFd<'_>) -> io::Result<()> {
        let mut second = self.0.lock();
        if lingering != second.is_some() {
            *second = if lingering { Some(fd.try_clone_to_owned()?) } else { None };
        }
        Ok(())
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        if let Some(second) = self.0.get_mut().take() {
            // If the pool is overloaded it drops the job, which closes here and now: late is better than never. If the fiber
            // is cancelled, the pool closes on its own.
            let _ = blocking(move || drop(second));
        }
    }
}
