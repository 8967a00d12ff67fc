//! Which reactor a socket is registered with, in four bytes: every socket has that.
//!
//! Invariant: no reactor has the number of another, not even of one that is gone. So a socket that outlives its reactor finds none.

use std::io;
use std::num::NonZeroU32;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use mio::unix::SourceFd;
use parking_lot::RwLock;

use super::{Handle, with_current};

/// The number that the last reactor got.
static LAST: AtomicU32 = AtomicU32::new(0);

/// Those that there are.
static REACTORS: RwLock<Vec<(Home, Weak<Handle>)>> = RwLock::new(Vec::new());

/// Where a socket is registered: until that is [released](Self::release), as its owner is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Home(NonZeroU32);

/// A reactor's place among those that sockets find.
#[derive(Debug)]
pub(super) struct Listed(Home);

impl Listed {
    /// # Errors
    ///
    /// `OutOfMemory` beyond 2^32 - 1 reactors that there have been.
    pub(super) fn new(reactor: &Arc<Handle>) -> io::Result<Self> {
        let next = |last: u32| last.checked_add(1);
        let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        let number = last.ok().and_then(|last| NonZeroU32::MIN.checked_add(last));
        let home = Home(number.ok_or(io::ErrorKind::OutOfMemory)?);
        REACTORS.write().push((home, Arc::downgrade(reactor)));
        Ok(Self(home))
    }

    pub(super) fn home(&self) -> Home {
        self.0
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        REACTORS.write().retain(|(home, _)| *home != self.0);
    }
}

impl Home {
    /// Takes a descriptor that stays open out of epoll.
    pub(crate) fn deregister(self, fd: BorrowedFd<'_>) -> io::Result<()> {
        match self.find() {
            Some(reactor) => reactor.registry.deregister(&mut SourceFd(&fd.as_raw_fd())),
            None => Ok(()),
        }
    }

    /// Frees the slot, from whichever thread.
    pub(crate) fn release(self, slot: u32) {
        // As a rule it is the reactor of the calling worker.
        let here = with_current(|local| {
            let is_here = local.home.home() == self;
            if is_here {
                local.handle.released.lock().push(slot);
            }
            is_here
        });
        if here != Some(true)
            && let Some(reactor) = self.find()
        {
            reactor.released.lock().push(slot);
        }
    }

    /// Runs `f` while that reactor, if there is one, has hold of no socket. What `f` does takes no time, and is nobody's code.
    pub(crate) fn between_events<R>(home: Option<Self>, f: impl FnOnce() -> R) -> R {
        let reactor = home.and_then(Self::find);
        let _noting = reactor.as_ref().map(|reactor| reactor.noting.lock());
        f()
    }

    fn find(self) -> Option<Arc<Handle>> {
        let reactors = REACTORS.read();
        reactors.iter().find(|(home, _)| *home == self).and_then(|(_, reactor)| reactor.upgrade())
    }
}
