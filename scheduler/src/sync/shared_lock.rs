//! The lock inside an [`RwLock`](super::RwLock): one word that counts readers or names the writer, and those who wait for it.
//!
//! ```text
//!   word   readers << 2 | WAITERS             read, or free
//!          owner << 2 | WRITER | WAITERS      written
//! ```
//!
//! Taking and giving back is one atomic operation while nobody waits. With WAITERS set, everyone lines up, and who gives the lock up hands
//! it to the first in line: to a writer, or to all the readers up to the next writer. So it is strictly first come, first served,
//! and neither readers nor writers starve.
//!
//! Invariant, under the lock of the line: WAITERS is set if and only if the line is not empty. With WAITERS set, only who holds the lock
//! of the line lets anyone in.

use std::time::Instant;

use super::lock::fiber;
use super::primitive::{AtomicU64, Ordering, Party, Sleeper, const_fn, me};
use super::waiters::{End, Left, Limit, Waiters};
use crate::park::Reason;

/// Someone waits.
const WAITERS: u64 = 1;
/// Locked by a writer.
const WRITER: u64 = 2;
/// One reader.
const READER: u64 = 4;

/// See the [module](self).
pub(crate) struct SharedLock {
    word: AtomicU64,
    waiters: Waiters<(), Access>,
}

/// What a waiter waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write(Party),
}

impl Access {
    /// The word after this access was let in; `None`: it must wait.
    fn enter(self, word: u64) -> Option<u64> {
        match self {
            Access::Read if word & WRITER == 0 => Some(word + READER),
            Access::Write(me) if word & !WAITERS == 0 => Some(word | me << 2 | WRITER),
            _ => None,
        }
    }
}

impl SharedLock {
    const_fn! {
        pub(crate) fn new() -> Self {
            SharedLock { word: AtomicU64::new(0), waiters: Waiters::new(()) }
        }
    }

    pub(crate) fn is_locked(&self) -> bool {
        self.word.load(Ordering::Relaxed) & !WAITERS != 0
    }

    pub(crate) fn is_written(&self) -> bool {
        self.word.load(Ordering::Relaxed) & WRITER != 0
    }

    #[inline]
    pub(crate) fn read(&self) {
        if !self.try_read() {
            self.enter_slow(Access::Read, None);
        }
    }

    #[inline]
    pub(crate) fn try_read(&self) -> bool {
        self.enter_now(Access::Read)
    }

    #[inline]
    pub(crate) fn write(&self) {
        if !self.try_write() {
            self.enter_slow(Access::Write(me()), None);
        }
    }

    #[inline]
    pub(crate) fn try_write(&self) -> bool {
        self.enter_now(Access::Write(me()))
    }

    pub(crate) fn try_read_until(&self, deadline: Option<Instant>) -> bool {
        self.try_read() || self.enter_slow(Access::Read, deadline)
    }

    pub(crate) fn try_write_until(&self, deadline: Option<Instant>) -> bool {
        self.try_write() || self.enter_slow(Access::Write(me()), deadline)
    }

    /// Lets the caller in, unless it must wait.
    #[inline]
    fn enter_now(&self, access: Access) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        while word & WAITERS == 0
            && let Some(next) = access.enter(word)
        {
            match self.word.compare_exchange_weak(word, next, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    #[cold]
    fn enter_slow(&self, access: Access, deadline: Option<Instant>) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        if deadline.is_none() && word & WRITER != 0 && word >> 2 == me() {
            panic!(
                "this fiber or thread holds the lock for writing that it locks again: it would wait for itself for ever"
            );
        }
        let sleeper = Sleeper::prepared();
        let guard = self.waiters.lock();
        let mut word = self.word.load(Ordering::Relaxed);
        // One exchange lets us in or marks that we wait, so that whoever gives the lock up after it sees the mark.
        while word & WAITERS == 0 {
            let entered = access.enter(word);
            match self.word.compare_exchange_weak(
                word,
                entered.unwrap_or(word | WAITERS),
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) if entered.is_some() => return true,
                Ok(_) => break,
                Err(now) => word = now,
            }
        }
        let owner = if word & WRITER != 0 { fiber(word >> 2) } else { None };
        let reason = Reason::Lock { address: (&raw const self.word).addr(), owner };
        match guard.wait(sleeper, 0, End::Back, access, &reason, Limit::uncut(deadline)) {
            Ok(_) => true,
            Err(Left { guard, .. }) => {
                if guard.is_empty(0) {
                    self.word.fetch_and(!WAITERS, Ordering::Relaxed);
                }
                drop(guard);
                // A writer that gives up may have stood between readers and those behind it.
                self.hand_over();
                false
            }
        }
    }

    #[inline]
    pub(crate) fn end_read(&self) {
        if self.word.fetch_sub(READER, Ordering::Release) == READER | WAITERS {
            self.hand_over();
        }
    }

    #[inline]
    pub(crate) fn end_write(&self) {
        if self.word.fetch_and(WAITERS, Ordering::Release) & WAITERS != 0 {
            self.hand_over();
        }
    }

    /// From writing to reading, without letting a writer in between.
    pub(crate) fn downgrade(&self) {
        // Nobody else changes anything but WAITERS while we write.
        let downgraded =
            self.word.try_update(Ordering::Release, Ordering::Relaxed, |word| Some(READER | word & WAITERS));
        if downgraded.is_ok_and(|before| before & WAITERS != 0) {
            self.hand_over();
        }
    }

    /// Lets in who is first in line, as long as that is possible.
    #[cold]
    fn hand_over(&self) {
        loop {
            let mut guard = self.waiters.lock();
            let Some(&mut access) = guard.first(0) else { return };
            // Acquire, and a release by granting: those who are let in see what those did who went.
            let let_in = self.word.try_update(Ordering::Acquire, Ordering::Acquire, |word| access.enter(word));
            if let_in.is_err() {
                return;
            }
            let Ok(grant) = guard.next(0) else { return };
            if grant.is_last() {
                self.word.fetch_and(!WAITERS, Ordering::Relaxed);
            }
            grant.give();
        }
    }
}
