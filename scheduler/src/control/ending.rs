//! How the end of a fiber meets its handle: one word, written by the two of them and by nobody else.
//!
//! ```text
//!            handle                    fiber
//!   IDLE ──▶ IDLE                    ──▶ DONE ──▶ CLEAN     the handle finds the result when it asks
//!        ├─▶ DETACHED                                       nobody will ask: the fiber drops the result
//!        ├─▶ a fiber, blocked in join ─▶ DONE ──▶ CLEAN     which the end wakes
//!        └─▶ a waker (or another)    ──▶ DONE ──▶ CLEAN     which the end calls
//! ```
//!
//! DONE says that the result is there, CLEAN that the worker, too, has let go of the control block.
//!
//! Fiber and handle hold one reference between them. Who leaves last gives it up: the handle, behind CLEAN; or the fiber, if it found
//! DETACHED. The handle waits for CLEAN by spinning, and only where it is on another thread and has seen DONE while the worker still
//! takes the stack back: some tens of instructions, none of them a user's.
//!
//! No locked instruction where the other side cannot act: a handle on the thread that alone runs the fiber writes the word as it is, and
//! so does the end that finds a blocked fiber, which does nothing with its handle before it is woken. `models` checks all of it.

use std::ptr::{self, NonNull};
use std::task::Waker;

use crate::primitive::{AtomicPtr, Ordering, pause};

type Word = *mut ();

const IDLE: Word = ptr::null_mut();
const DONE: Word = ptr::without_provenance_mut(2);
const CLEAN: Word = ptr::without_provenance_mut(4);
const DETACHED: Word = ptr::without_provenance_mut(6);

/// Set in the address of a boxed waker, and in no other word.
const WAKER: usize = 1;

/// The joining fiber's address, which the word holds as it is: higher than the states, and aligned.
const FIRST_ADDRESS: usize = 8;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Ending(AtomicPtr<()>);

/// Whom the end of a fiber finds.
#[derive(Debug)]
pub(crate) enum Counterpart<J> {
    /// The handle, which will look for itself.
    Nobody,
    /// Nobody any more: the result is the fiber's to drop.
    Detached,
    /// Who joins, and is to be woken behind [`publish`](Ending::publish).
    Blocked(NonNull<J>),
    /// To be called.
    Waker(Box<Waker>),
}

/// Where the handle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// On the thread that alone runs the fiber, which so cannot end meanwhile.
    AtHome,
    Elsewhere,
}

impl Ending {
    pub(crate) fn new() -> Self {
        Ending(AtomicPtr::new(IDLE))
    }

    /// Whether the result is there.
    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        is_done(self.0.load(Ordering::Acquire))
    }

    /// Whether the handle is gone.
    #[inline]
    pub(crate) fn is_detached(&self) -> bool {
        self.0.load(Ordering::Relaxed) == DETACHED
    }

    /// The fiber's half: the result is there. Says so to a handle that is free to look; else to do so is left to the caller.
    ///
    /// # Safety
    ///
    /// Called once. What [`join`](Ending::join) was given is a `J`.
    #[inline]
    pub(crate) unsafe fn finish<J>(&self) -> Counterpart<J> {
        let mut seen = self.0.load(Ordering::Acquire);
        loop {
            if let Some(blocked) = blocked(seen) {
                return Counterpart::Blocked(blocked.cast());
            }
            if seen == DETACHED {
                return Counterpart::Detached;
            }
            match self.0.compare_exchange(seen, DONE, Ordering::AcqRel, Ordering::Acquire) {
                // SAFETY: if it was a waker, the exchange took it out of the word.
                Ok(_) => return unsafe { take_waker(seen) }.map_or(Counterpart::Nobody, Counterpart::Waker),
                Err(now) => seen = now,
            }
        }
    }

    /// The fiber's half: the result is there, and its handle is blocked, so the word is ours alone.
    #[inline]
    pub(crate) fn publish(&self) {
        self.0.store(DONE, Ordering::Release);
    }

    /// The fiber's half: nobody touches the control block any more on its behalf. From here on it may be gone.
    #[inline]
    pub(crate) fn clean(&self) {
        self.0.store(CLEAN, Ordering::Release);
    }

    /// The handle's half: `joiner` waits until the fiber is done, and does nothing else with the handle. `false`: it is done.
    #[inline]
    pub(crate) fn join<J>(&self, joiner: NonNull<J>, caller: Caller) -> bool {
        debug_assert!(joiner.addr().get() >= FIRST_ADDRESS && joiner.addr().get() & WAKER == 0);
        self.leave_word(joiner.as_ptr().cast(), caller)
    }

    /// The handle's half: the end calls `waker`, in the place of the one of an earlier poll. `false`: the fiber is done.
    pub(crate) fn poll(&self, waker: &Waker) -> bool {
        let seen = self.0.load(Ordering::Acquire);
        // Taken out first: while it is in the word, the end may call and free it.
        if is_done(seen) || self.0.compare_exchange(seen, IDLE, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return false;
        }
        // SAFETY: if it is a waker, the exchange took it out.
        let mut waiting = unsafe { take_waker(seen) }.unwrap_or_else(|| Box::new(waker.clone()));
        (*waiting).clone_from(waker);
        let word = Box::into_raw(waiting).cast::<()>().map_addr(|address| address | WAKER);
        let left = self.0.compare_exchange(IDLE, word, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if !left {
            // SAFETY: it did not get into the word.
            drop(unsafe { take_waker(word) });
        }
        left
    }

    /// The handle's half: it is gone and takes no result. `false`: the fiber is done, so the result is the handle's to drop.
    #[inline]
    pub(crate) fn detach(&self, caller: Caller) -> bool {
        self.leave_word(DETACHED, caller)
    }

    /// Puts the handle's last word, in the place of a waker or none. `false`: the fiber is done.
    #[inline]
    fn leave_word(&self, word: Word, caller: Caller) -> bool {
        let seen = self.0.load(Ordering::Acquire);
        if is_done(seen) {
            return false;
        }
        match caller {
            Caller::AtHome => self.0.store(word, Ordering::Release),
            Caller::Elsewhere => {
                if self.0.compare_exchange(seen, word, Ordering::AcqRel, Ordering::Acquire).is_err() {
                    return false;
                }
            }
        }
        // SAFETY: it was in the word, and no more is.
        drop(unsafe { take_waker(seen) });
        true
    }

    /// The handle's half, once the fiber is done: waits until the worker has let go of the control block.
    #[inline]
    pub(crate) fn wait_until_clean(&self) {
        let mut rounds = 0;
        while self.0.load(Ordering::Acquire) != CLEAN {
            pause(&mut rounds);
        }
    }
}

/// Whoever frees it must come behind everyone who has used it.
#[cfg(all(loom, test))]
impl Drop for Ending {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.0.with_mut(|_| ());
        }
    }
}

#[inline]
fn is_done(word: Word) -> bool {
    word == DONE || word == CLEAN
}

#[inline]
fn blocked(word: Word) -> Option<NonNull<()>> {
    NonNull::new(word).filter(|joiner| joiner.addr().get() >= FIRST_ADDRESS && joiner.addr().get() & WAKER == 0)
}

/// The waker that a word names, if it names one.
///
/// # Safety
///
/// The word is not in an [`Ending`] any more, and is asked once.
#[inline]
unsafe fn take_waker(word: Word) -> Option<Box<Waker>> {
    let is_waker = word.addr() & WAKER != 0;
    // SAFETY: `poll` made such a word of a box, and it is taken back once.
    is_waker.then(|| unsafe { Box::from_raw(word.map_addr(|address| address & !WAKER).cast()) })
}
