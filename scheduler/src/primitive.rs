//! The seam between the protocols that cross threads and what they stand on: atomics, fences, a lock, cells, the queue of fresh closures.
//!
//! Ordinarily that is std, parking_lot and crossbeam-deque, by their own names. Under `--cfg loom`, in this crate's unit tests, it is
//! loom, which runs the same protocols through every order that threads and memory allow (`models`).

pub(crate) use chosen::*;

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
    pub(crate) use std::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
    pub(crate) use std::thread::yield_now;
    use std::time::Duration;
    use std::{hint, thread};

    pub(crate) use crossbeam_deque as deque;
    pub(crate) use parking_lot::Mutex;

    /// A flag that some store to and others exchange.
    pub(crate) type Flag = AtomicBool;

    /// One of the `rounds` of waiting for another thread that is about to do what is waited for. At first it is waited for at once, a
    /// little longer each time. Then behind a yield, because that thread may have been preempted and need this CPU; in the end behind a
    /// short sleep, because a yield lets nobody run whose priority is lower.
    #[cold]
    #[allow(clippy::disallowed_methods)] // Blocking the worker is what it is for.
    pub(crate) fn pause(rounds: &mut u32) {
        const SPINS: u32 = 7;
        const YIELDS: u32 = 16;
        const NAP: Duration = Duration::from_micros(50);
        match *rounds {
            rounds @ ..SPINS => (0..1 << rounds).for_each(|_| hint::spin_loop()),
            rounds if rounds < SPINS + YIELDS => yield_now(),
            _ => thread::sleep(NAP),
        }
        *rounds = rounds.saturating_add(1);
    }

    /// What an exchange may find. A wrong guess costs the exchange only.
    #[inline]
    pub(crate) fn guess<T>(pointer: &AtomicPtr<T>) -> *mut T {
        pointer.load(Ordering::Relaxed)
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
    }
}

#[cfg(all(loom, test))]
mod chosen {
    pub(crate) use loom::cell::UnsafeCell;
    use loom::sync::MutexGuard;
    pub(crate) use loom::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
    pub(crate) use loom::thread::yield_now;

    pub(crate) use crate::models::deque;

    /// A flag that some store to and others exchange. Here a store is an exchange: loom does not know that nothing comes between what an
    /// exchange reads and what it writes, and would go on to show the exchange's value behind a later store.
    #[derive(Debug)]
    pub(crate) struct Flag(AtomicBool);

    impl Flag {
        pub(crate) fn new(value: bool) -> Self {
            Flag(AtomicBool::new(value))
        }

        pub(crate) fn load(&self, order: Ordering) -> bool {
            self.0.load(order)
        }

        pub(crate) fn store(&self, value: bool, order: Ordering) {
            self.swap(value, order);
        }

        pub(crate) fn swap(&self, value: bool, order: Ordering) -> bool {
            self.0.swap(value, order)
        }

        pub(crate) fn compare_exchange(
            &self,
            current: bool,
            new: bool,
            success: Ordering,
            failure: Ordering,
        ) -> Result<bool, bool> {
            self.0.compare_exchange(current, new, success, failure)
        }
    }

    /// Looks at nothing: behind a load of the same thread, loom would not try to have an exchange come before what others have loaded.
    pub(crate) fn guess<T>(_pointer: &AtomicPtr<T>) -> *mut T {
        std::ptr::null_mut()
    }

    pub(crate) fn pause(_rounds: &mut u32) {
        yield_now();
    }

    /// loom's, without poisoning.
    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Mutex(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("a model does not panic")
        }
    }
}
