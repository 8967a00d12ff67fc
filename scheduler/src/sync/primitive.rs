//! The seam between the protocols of [`sync`](super) and what they stand on: atomics, a small lock, cells, parking.
//!
//! Ordinarily that is std, parking_lot and [`park`](crate::park). Under `--cfg loom`, in this crate's unit tests, it is loom,
//! which runs the same protocols through every order that threads and memory allow (`models`).

pub(crate) use chosen::*;

/// Who a lock's word names as its owner: a fiber's number, or, for a plain thread, a number of our own with [`THREAD`] set.
pub(crate) type Party = u64;

/// Above every fiber's number, and below what a lock's word needs for itself.
pub(crate) const THREAD: Party = 1 << 60;

/// A `const fn`, except under loom, whose atomics cannot be made in one.
macro_rules! const_fn {
    ($(#[$attribute:meta])* $visibility:vis fn $name:ident $($rest:tt)*) => {
        #[cfg(not(all(loom, test)))]
        $(#[$attribute])*
        $visibility const fn $name $($rest)*
        #[cfg(all(loom, test))]
        $(#[$attribute])*
        $visibility fn $name $($rest)*
    };
}
pub(crate) use const_fn;

#[cfg(not(all(loom, test)))]
mod chosen {
    use std::cell::Cell;
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

    pub(crate) use parking_lot::{Mutex, MutexGuard};

    pub(crate) use crate::park::{Sleeper, Unparker, call_hook, has_hook, park_until, wait};
    use crate::worker::Worker;

    use super::{Party, THREAD};

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

    /// One round of waiting for another thread that is about to do what is waited for.
    #[cold]
    pub(crate) fn pause(rounds: &mut u32) {
        const SPINS: u32 = 64;
        match *rounds < SPINS {
            true => std::hint::spin_loop(),
            // It may need this CPU.
            false => std::thread::yield_now(),
        }
        *rounds = rounds.saturating_add(1);
    }

    /// As std's, with the access in a closure, which is how loom watches it.
    #[derive(Debug)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            UnsafeCell(std::cell::UnsafeCell::new(value))
        }

        #[inline]
        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }

        #[inline]
        pub(crate) fn into_inner(self) -> T {
            self.0.into_inner()
        }
    }
}

#[cfg(all(loom, test))]
mod chosen {
    use std::cell::Cell;
    use std::time::Instant;

    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::MutexGuard;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
    use loom::sync::{Arc, Condvar};

    use crate::cancel::Interrupted;
    use crate::park::{Reason, Wakeup};

    use super::{Party, THREAD};

    /// loom's, without poisoning.
    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Mutex(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("a model does not panic")
        }
    }

    /// A token of our own: loom's `Thread::unpark` must not meet a thread that waits for a mutex, as a late one here may.
    #[derive(Debug)]
    pub(crate) struct Unparker(Arc<Token>);

    type Token = (loom::sync::Mutex<bool>, Condvar);

    impl Unparker {
        pub(crate) fn unpark(&self) {
            *self.0.0.lock().expect("a model does not panic") = true;
            self.0.1.notify_one();
        }
    }

    loom::thread_local! {
        static TOKEN: Arc<Token> = Arc::new((loom::sync::Mutex::new(false), Condvar::new()));
    }

    pub(crate) struct Sleeper(Unparker);

    impl Sleeper {
        pub(crate) fn current() -> Self {
            Sleeper(Unparker(TOKEN.with(Arc::clone)))
        }

        /// # Safety
        ///
        /// None is needed here.
        pub(crate) unsafe fn release(self, release: impl FnOnce()) -> Option<Unparker> {
            release();
            Some(self.0)
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

    pub(crate) fn pause(_rounds: &mut u32) {
        loom::thread::yield_now();
    }

    pub(crate) fn has_hook() -> bool {
        false
    }

    pub(crate) fn call_hook() {}

    /// A model has no clock: a deadline, if there is one, has passed.
    pub(crate) fn park_until(_reason: Reason, deadline: Option<Instant>) -> Wakeup {
        if deadline.is_some() {
            return Wakeup::TimedOut;
        }
        let token = TOKEN.with(Arc::clone);
        let mut given = token.0.lock().expect("a model does not panic");
        while !*given {
            given = token.1.wait(given).expect("a model does not panic");
        }
        *given = false;
        Wakeup::Unparked
    }

    pub(crate) fn wait(reason: Reason, deadline: Option<Instant>) -> Result<(), Interrupted> {
        match park_until(reason, deadline) {
            Wakeup::Unparked => Ok(()),
            Wakeup::TimedOut => Err(Interrupted::TimedOut),
        }
    }
}
