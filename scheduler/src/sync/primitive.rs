//! The seam between the protocols of [`sync`](super) and what they stand on: the [atomics and cells](crate::primitive) of the whole crate,
//! the small lock, parking.
//!
//! Ordinarily parking is [`park`](crate::park). Under `--cfg loom`, in this crate's unit tests, it is loom's, so that a model's threads
//! wait for each other (`models`).

pub(crate) use crate::primitive::{AtomicU8, AtomicU64, AtomicUsize, Flag, Ordering, UnsafeCell, const_fn, pause};
pub(crate) use chosen::*;

/// Who a lock's word names as its owner: a fiber's number, or, for a plain thread, a number of our own with [`THREAD`] set.
pub(crate) type Party = u64;

/// Above every fiber's number, and below what a lock's word needs for itself.
pub(crate) const THREAD: Party = 1 << 60;

#[cfg(not(all(loom, test)))]
mod chosen {
    use std::cell::Cell;

    use parking_lot::lock_api;

    pub(crate) use crate::park::{Sleeper, wait};
    use crate::worker::Worker;

    use super::{AtomicU64, Ordering, Party, THREAD};
    use crate::sync::spin::Spin;

    pub(crate) type Mutex<T> = lock_api::Mutex<Spin, T>;
    pub(crate) type MutexGuard<'a, T> = lock_api::MutexGuard<'a, Spin, T>;

    /// The caller, as a lock's word names it.
    #[inline]
    pub(crate) fn me() -> Party {
        let fiber = Worker::with(|worker| worker?.running(|fiber| fiber.origin.id.as_u64()));
        fiber.unwrap_or_else(this_thread)
    }

    #[cold]
    fn this_thread() -> Party {
        static THREADS: AtomicU64 = AtomicU64::new(THREAD);
        thread_local! {
            static NUMBER: Cell<Party> = const { Cell::new(0) };
        }
        if NUMBER.get() == 0 {
            NUMBER.set(THREADS.fetch_add(1, Ordering::Relaxed));
        }
        NUMBER.get()
    }

    /// A number that is not in step with anything.
    #[inline]
    pub(crate) fn random() -> u32 {
        thread_local! {
            static STATE: Cell<u64> = const { Cell::new(0x9E37_79B9_7F4A_7C15) };
        }
        // A linear congruential generator by Knuth (MMIX); its high bits are the good ones.
        let state = STATE.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        STATE.set(state);
        (state >> 32) as u32
    }
}

#[cfg(all(loom, test))]
mod chosen {
    use std::cell::Cell;
    use std::time::Instant;

    pub(crate) use loom::sync::MutexGuard;
    use loom::sync::{Arc, Condvar};

    use crate::cancel::Interrupted;
    use crate::park::Reason;

    pub(crate) use crate::primitive::Mutex;

    use super::{Ordering, Party, THREAD};

    /// A token of our own: loom's `Thread::unpark` must not meet a thread that waits for a mutex, as a late one here may.
    type Token = (loom::sync::Mutex<bool>, Condvar);

    loom::thread_local! {
        static TOKEN: Arc<Token> = Arc::new((loom::sync::Mutex::new(false), Condvar::new()));
    }

    #[derive(Clone)]
    pub(crate) struct Sleeper(Arc<Token>);

    impl Sleeper {
        pub(crate) fn current() -> Self {
            Sleeper(TOKEN.with(Arc::clone))
        }

        pub(crate) fn prepared() -> Self {
            Sleeper::current()
        }

        pub(crate) fn must_prepare(&self) -> bool {
            false
        }

        pub(crate) fn park(&self, reason: &Reason, deadline: Option<Instant>, _: bool) -> Result<(), Interrupted> {
            wait(*reason, deadline)
        }

        /// # Safety
        ///
        /// None is needed here.
        pub(crate) unsafe fn release(self, release: impl FnOnce()) {
            release();
            *self.0.0.lock().expect("a model does not panic") = true;
            self.0.1.notify_one();
        }
    }

    pub(crate) fn me() -> Party {
        static THREADS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(THREAD);
        loom::thread_local! {
            static NUMBER: Cell<Party> = Cell::new(0);
        }
        NUMBER.with(|number| {
            if number.get() == 0 {
                number.set(THREADS.fetch_add(1, Ordering::Relaxed));
            }
            number.get()
        })
    }

    /// A model is run again and again and must do the same each time.
    pub(crate) fn random() -> u32 {
        0
    }

    /// A model has no clock: a deadline, if there is one, has passed.
    pub(crate) fn wait(_reason: Reason, deadline: Option<Instant>) -> Result<(), Interrupted> {
        if deadline.is_some() {
            return Err(Interrupted::TimedOut);
        }
        let token = TOKEN.with(Arc::clone);
        let mut given = token.0.lock().expect("a model does not panic");
        while !*given {
            given = token.1.wait(given).expect("a model does not panic");
        }
        *given = false;
        Ok(())
    }
}
