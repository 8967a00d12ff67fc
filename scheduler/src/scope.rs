//! Fibers that borrow from the one that spawns them, as [`std::thread::scope`] has it for threads.
//!
//! ```text
//!   parent   scope(|s| { s.spawn(a); s.spawn(b); … })  waits for a and b, whatever happens ─▶ goes on
//!                            │ borrows the parent's stack
//!   children                 a ────────────▶ ended: result dropped or taken, then counted down
//! ```
//!
//! Sound because the parent cannot leave before its children have ended: the wait at the exit cannot be cancelled, and a parent that
//! is leaked at shutdown never leaves.
//!
//! Invariants:
//! * A child is counted before it is queued, and counted down as the very last thing it does: after its result was published, or
//!   dropped because nobody will ask.
//! * Handles cannot outlive the scope, since its lifetime is in their type; so results are gone when it ends.

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::{fmt, io, thread};

use parking_lot::Mutex;
use slab::Slab;

use crate::abort;
use crate::cancel::{self, Interrupted};
use crate::control::{FiberRef, Runnable};
use crate::park::{self, Reason, Unparker};
use crate::worker::Worker;
use crate::{Builder, FiberId, JoinHandle};

/// The children of one scope. See the [module](self).
pub(crate) struct Children {
    running: AtomicUsize,
    panicked: AtomicBool,
    parent: Unparker,
    present: Mutex<Present>,
}

/// The children that have not ended.
#[derive(Default)]
struct Present {
    /// To forward a cancellation to. A child that has ended takes itself out.
    fibers: Slab<FiberRef>,
    /// Whether one was forwarded. Who spawns at that moment may not know yet that it is cancelled itself.
    are_cancelled: bool,
}

impl Children {
    fn new() -> Arc<Self> {
        Arc::new(Children {
            running: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            parent: park::current(),
            present: Mutex::default(),
        })
    }

    /// Counts a fiber that is about to be queued.
    pub(crate) fn adopt(self: &Arc<Self>, child: &Runnable) {
        self.running.fetch_add(1, Ordering::Relaxed);
        let mut present = self.present.lock();
        let key = present.fibers.insert(child.reference());
        if present.are_cancelled && !cancel::is_shielded() {
            child.control().cancel_awake();
        }
        drop(present);
        // SAFETY: we hold the runnable of a fiber that has not started.
        let owned = unsafe { child.control().owned() };
        owned.scope.set(Some(Membership { scope: self.clone(), key }));
    }

    fn cancel(&self) {
        let mut present = self.present.lock();
        present.are_cancelled = true;
        // Cloned out: cancelling unparks, which must not happen under the lock.
        let fibers: Vec<FiberRef> = present.fibers.iter().map(|(_, fiber)| fiber.clone()).collect();
        drop(present);
        fibers.iter().for_each(FiberRef::cancel);
    }

    /// Waits for all children. A cancellation of the parent is handed on to them, and does not end the wait.
    fn wait(&self) {
        let mut forwarded = false;
        while self.running.load(Ordering::Acquire) != 0 {
            if !forwarded && cancel::check() == Err(Interrupted::Cancelled) {
                forwarded = true;
                self.cancel();
            }
            park::park(Reason::Scope);
        }
    }
}

/// A child's tie to its scope.
pub(crate) struct Membership {
    scope: Arc<Children>,
    key: usize,
}

impl Membership {
    /// The child has ended. `panicked`: with a panic that nobody will receive.
    pub(crate) fn end(self, panicked: bool) {
        let scope = self.scope;
        let child = scope.present.lock().fibers.remove(self.key);
        drop(child);
        if panicked {
            scope.panicked.store(true, Ordering::Relaxed);
        }
        // Release: what the child did is visible to the parent behind the scope.
        if scope.running.fetch_sub(1, Ordering::Release) == 1 {
            scope.parent.unpark();
        }
    }
}

/// Runs `f`, which may spawn fibers that borrow from around it, and waits for them.
///
/// ```
/// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
/// let mut counts = [1, 2, 3];
/// let total = fibra_scheduler::scope(|s| {
///     for count in &mut counts {
///         s.spawn(move || *count *= 10);
///     }
///     s.spawn(|| 4).join().unwrap()
/// });
/// assert_eq!((counts, total), ([10, 20, 30], 4));
/// # }).unwrap();
/// ```
///
/// What a child borrows must outlive the scope:
///
/// ```compile_fail,E0373
/// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
/// fibra_scheduler::scope(|s| {
///     let local = 5;
///     s.spawn(|| println!("{local}"));
/// });
/// # }).unwrap();
/// ```
///
/// # Cancellation
///
/// The wait at the end cannot be cut short, since children may borrow. If the parent is cancelled meanwhile, the children are
/// cancelled. A deadline they have inherited when they were spawned.
///
/// # Panics
///
/// If `f` panics, with its payload; the children are cancelled and waited for first. If a child panicked whose handle was not joined,
/// as in std.
pub fn scope<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let scope = Scope { children: Children::new(), scope: PhantomData, env: PhantomData };
    let result = catch_unwind(AssertUnwindSafe(|| f(&scope)));
    abort::on_unwind("the wait of a scope for its children was cut short", || {
        if result.is_err() {
            scope.children.cancel();
        }
        scope.children.wait();
    });
    match result {
        Err(payload) => resume_unwind(payload),
        Ok(_) if scope.children.panicked.load(Ordering::Relaxed) => panic!("a scoped fiber panicked"),
        Ok(value) => value,
    }
}

/// What [`scope`] hands its closure to spawn with.
///
/// `'scope` is how long the scope lasts, `'env` what its fibers may borrow; both invariant, as in std.
pub struct Scope<'scope, 'env: 'scope> {
    children: Arc<Children>,
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

impl<'scope> Scope<'scope, '_> {
    /// Spawns a fiber that any worker may start.
    ///
    /// # Panics
    ///
    /// As [`spawn`](crate::spawn()); [`Builder::spawn_scoped`] returns an error instead.
    #[track_caller]
    pub fn spawn<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        or_panic(Builder::new().spawn_scoped(self, f))
    }

    /// Spawns a fiber on the caller's worker; nothing need be `Send`.
    ///
    /// # Panics
    ///
    /// As [`spawn`](crate::spawn()); [`Builder::spawn_local_scoped`] returns an error instead.
    #[track_caller]
    pub fn spawn_local<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + 'scope,
        T: 'scope,
    {
        or_panic(Builder::new().spawn_local_scoped(self, f))
    }

    fn wrap<T>(&'scope self, handle: JoinHandle<T>) -> ScopedJoinHandle<'scope, T> {
        ScopedJoinHandle { handle: Some(handle), children: self.children.clone(), scope: PhantomData }
    }
}

impl Builder {
    /// Spawns a fiber of `scope` that any worker may start, as [`std::thread::Builder::spawn_scoped`] has it.
    ///
    /// ```
    /// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
    /// let words = vec!["one", "two"];
    /// let longest = fibra_scheduler::scope(|s| {
    ///     let counting = fibra_scheduler::Builder::new().name("counting");
    ///     counting.spawn_scoped(s, || words.iter().map(|word| word.len()).max()).map(|fiber| fiber.join().unwrap())
    /// })?;
    /// assert_eq!(longest, Some(3));
    /// # std::io::Result::Ok(()) }).unwrap().unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As [`spawn`](Builder::spawn).
    #[track_caller]
    pub fn spawn_scoped<'scope, F, T>(
        self,
        scope: &'scope Scope<'scope, '_>,
        f: F,
    ) -> io::Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let spawned = self.spawn_child(Location::caller(), &scope.children, Worker::anywhere, f);
        spawned.map(|handle| scope.wrap(handle))
    }

    /// Spawns a fiber of `scope` on the caller's worker; nothing need be `Send`.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Builder::spawn).
    #[track_caller]
    pub fn spawn_local_scoped<'scope, F, T>(
        self,
        scope: &'scope Scope<'scope, '_>,
        f: F,
    ) -> io::Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + 'scope,
        T: 'scope,
    {
        let spawned = self.spawn_child(Location::caller(), &scope.children, Worker::here, f);
        spawned.map(|handle| scope.wrap(handle))
    }
}

#[track_caller]
fn or_panic<T>(spawned: io::Result<T>) -> T {
    match spawned {
        Ok(handle) => handle,
        Err(error) => panic!("spawn in a scope: {error}"),
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.children.running.load(Ordering::Relaxed);
        f.debug_struct("Scope").field("running", &running).finish_non_exhaustive()
    }
}

/// The right to a scoped fiber's result. Dropping it leaves the fiber to be waited for by the scope's end.
pub struct ScopedJoinHandle<'scope, T> {
    /// Taken by `join` and by `drop`.
    handle: Option<JoinHandle<T>>,
    children: Arc<Children>,
    scope: PhantomData<&'scope mut &'scope ()>,
}

impl<T> ScopedJoinHandle<'_, T> {
    /// Waits for the fiber to end, as [`JoinHandle::join`].
    ///
    /// # Errors
    ///
    /// The payload, if the fiber panicked; the scope then does not panic for it.
    pub fn join(mut self) -> thread::Result<T> {
        match self.handle.take() {
            Some(handle) => handle.join(),
            None => unreachable!("only join and drop take it, and both come once"),
        }
    }

    /// As [`JoinHandle::cancel`].
    pub fn cancel(&self) {
        self.inner().cancel();
    }

    /// As [`JoinHandle::is_finished`].
    pub fn is_finished(&self) -> bool {
        self.inner().is_finished()
    }

    /// As [`JoinHandle::id`].
    pub fn id(&self) -> FiberId {
        self.inner().id()
    }

    fn inner(&self) -> &JoinHandle<T> {
        match &self.handle {
            Some(handle) => handle,
            None => unreachable!("only join and drop take it, and both come last"),
        }
    }
}

impl<T> Drop for ScopedJoinHandle<'_, T> {
    fn drop(&mut self) {
        if self.handle.take().is_some_and(JoinHandle::detach) {
            self.children.panicked.store(true, Ordering::Relaxed);
        }
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScopedJoinHandle").field(&self.handle).finish()
    }
}
