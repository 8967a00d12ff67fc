//! Closing a socket that lingers (`SO_LINGER`), off the workers.
//!
//! The kernel waits in the `close` of the last descriptor, also of a non-blocking one. So there is a second descriptor, which outlives
//! the socket's own and is closed on the blocking pool while the fiber parks.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::{io, thread};

use fibra_scheduler::{blocking, in_fiber};

use crate::reactor;

/// The second descriptor, if closing may take time. Drop it last.
#[derive(Debug, Default)]
pub(crate) struct Lingering(Option<OwnedFd>);

impl Lingering {
    pub(crate) fn set(&mut self, lingering: bool, fd: BorrowedFd<'_>) -> io::Result<()> {
        if lingering != self.0.is_some() {
            self.0 = if lingering { Some(fd.try_clone_to_owned()?) } else { None };
        }
        Ok(())
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let Some(second) = self.0.take() else { return };
        if !in_fiber() && reactor::current().is_some() {
            // A worker between two fibers, which has noted an event while the last handle was dropped elsewhere: it has no fiber to park. If
            // there is no thread to be had, it is closed here and now.
            let _ = thread::Builder::new().spawn(move || drop(second));
            return;
        }
        // If the pool is overloaded it drops the job, which closes here and now: late is better than never. If the fiber is cancelled, the
        // pool closes on its own.
        let _ = blocking(move || drop(second));
    }
}
