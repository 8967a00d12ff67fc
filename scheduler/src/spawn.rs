//! Starting fibers: [`spawn`], [`spawn_local`] and the [`Builder`] behind both.

use std::cell::Cell;
use std::num::NonZero;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fmt, io};

use crate::JoinHandle;
use crate::cancel;
use crate::control::{Heap, Origin, Runnable, allocate};
use crate::scope::Children;
use crate::worker::{Remote, Worker};

/// The number of a fiber: unique within the process, in the order of spawning within a worker.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(transparent)]
pub struct FiberId(NonZero<u64>);

impl FiberId {
    /// The next number. Threads draw blocks, so that spawning on two workers does not share a cache line.
    fn next() -> Self {
        const BLOCK: u64 = 1024;
        static BLOCKS: AtomicU64 = AtomicU64::new(0);
        thread_local! {
            static NEXT: Cell<u64> = const { Cell::new(0) };
        }
        let mut next = NEXT.get();
        if next.is_multiple_of(BLOCK) {
            next = BLOCKS.fetch_add(1, Ordering::Relaxed) * BLOCK;
        }
        NEXT.set(next + 1);
        FiberId(NonZero::<u64>::MIN.saturating_add(next))
    }

    /// The fiber of a number that [`as_u64`](FiberId::as_u64) gave; `None` for zero, which is no fiber's.
    pub(crate) fn from_u64(number: u64) -> Option<Self> {
        NonZero::new(number).map(FiberId)
    }

    /// The number as such.
    #[inline]
    pub fn as_u64(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for FiberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Spawns a fiber, as [`std::thread::spawn`] spawns a thread. Any idle worker may start it, hence `Send`; once started it
/// stays on that worker, so that what it makes itself need not be. It inherits the caller's deadline and cancellation as they are now,
/// see [`cancel`](crate::cancel); [`shield`](crate::cancel::shield) around the spawn makes it independent.
///
/// ```
/// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
/// let fibers: Vec<_> = (1..=3).map(|n| fibra_scheduler::spawn(move || n * n)).collect();
/// let squares: Vec<i32> = fibers.into_iter().map(|fiber| fiber.join().unwrap()).collect();
/// assert_eq!(squares, [1, 4, 9]);
/// # }).unwrap();
/// ```
///
/// What crosses to another worker must be `Send`:
///
/// ```compile_fail,E0277
/// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
/// let shared = std::rc::Rc::new(5);
/// fibra_scheduler::spawn(move || println!("{shared}"));
/// # }).unwrap();
/// ```
///
/// # Panics
///
/// Outside a runtime, or if that has [as many fibers as it may](crate::runtime::Builder::fibers_max): [`Builder::spawn`] returns an
/// error instead, which is for servers to choose.
#[track_caller]
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    match Builder::new().spawn(f) {
        Ok(handle) => handle,
        Err(error) => panic!("spawn: {error}"),
    }
}

/// Spawns a fiber on the caller's own worker. Nothing crosses a thread, so nothing need be `Send`.
///
/// ```
/// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
/// let shared = std::rc::Rc::new(5);
/// let copy = shared.clone();
/// let fiber = fibra_scheduler::spawn_local(move || *copy + 1);
/// assert_eq!(fiber.join().unwrap(), *shared + 1);
/// # }).unwrap();
/// ```
///
/// # Panics
///
/// As [`spawn`].
#[track_caller]
pub fn spawn_local<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + 'static,
    T: 'static,
{
    match Builder::new().spawn_local(f) {
        Ok(handle) => handle,
        Err(error) => panic!("spawn_local: {error}"),
    }
}

/// Settings of one fiber, as [`std::thread::Builder`] has them for a thread.
///
/// ```
/// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
/// let fiber = fibra_scheduler::Builder::new().name("deep").stack_size(1 << 20).spawn(|| 42)?;
/// assert_eq!(fiber.name(), Some("deep"));
/// assert_eq!(fiber.join().unwrap(), 42);
/// # Ok::<(), std::io::Error>(()) }).unwrap().unwrap();
/// ```
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until it spawns"]
pub struct Builder {
    name: Option<Box<str>>,
    stack_size: Option<usize>,
}

impl Builder {
    /// No name, and the runtime's stack size.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the fiber, for dumps and messages.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into().into());
        self
    }

    /// The usable size of the stack in bytes, rounded up to whole pages, at least 16 KiB. Default: that of the
    /// [runtime](crate::runtime::Builder::stack_size).
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Spawns a fiber that any worker may start. See [`spawn`].
    ///
    /// # Errors
    ///
    /// * `Unsupported`: the caller is not in a runtime.
    /// * `QuotaExceeded`: the runtime has as many fibers as it may; the error holds a [`TooManyFibers`](crate::TooManyFibers).
    ///
    /// The stack is taken when the fiber first runs, so running out of stacks shows in [`JoinHandle::join`].
    #[track_caller]
    pub fn spawn<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let spawned_at = Location::caller();
        in_runtime(|worker| {
            let (runnable, handle) = self.allocate(worker.anywhere(), spawned_at, f);
            worker.spawn(runnable);
            handle
        })
    }

    /// Spawns a fiber on the caller's own worker. See [`spawn_local`].
    ///
    /// # Errors
    ///
    /// As [`spawn`](Builder::spawn).
    #[track_caller]
    pub fn spawn_local<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        self.spawn_here(Location::caller(), f)
    }

    /// As [`spawn_local`](Builder::spawn_local), at a place in the code that the caller has found out.
    #[inline]
    pub(crate) fn spawn_here<F, T>(self, spawned_at: &'static Location<'static>, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        in_runtime(|worker| {
            let (runnable, handle) = self.allocate(worker.here(), spawned_at, f);
            worker.spawn(runnable);
            handle
        })
    }

    /// Spawns a fiber that `scope` waits for, so that `f` may borrow what outlives the scope.
    pub(crate) fn spawn_child<F, T>(
        self,
        spawned_at: &'static Location<'static>,
        scope: &Arc<Children>,
        site: fn(&Worker) -> Site<'_>,
        f: F,
    ) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T,
    {
        in_runtime(|worker| {
            let (runnable, handle) = self.allocate(site(worker), spawned_at, f);
            scope.adopt(&runnable);
            worker.spawn(runnable);
            handle
        })
    }

    /// The control block and handle of a fiber that will run `f`; the caller queues it.
    pub(crate) fn allocate<F, T>(
        self,
        site: Site<'_>,
        spawned_at: &'static Location<'static>,
        f: F,
    ) -> (Runnable, JoinHandle<T>)
    where
        F: FnOnce() -> T,
    {
        let origin = Origin {
            id: FiberId::next(),
            name: self.name,
            spawned_at,
            stack_size: self.stack_size.unwrap_or(site.stack_size),
        };
        let (runnable, fiber) = allocate(site.heap, site.home, origin, cancel::inherited(), f);
        // SAFETY: the fiber's result is `f`'s.
        (runnable, unsafe { JoinHandle::new(fiber) })
    }
}

/// Where a fiber is made, and for whom.
pub(crate) struct Site<'a> {
    pub(crate) heap: &'a Heap,
    /// The worker that alone may start it; null: any may.
    pub(crate) home: *const Remote,
    /// The usable size of its stack, if its builder says nothing else.
    pub(crate) stack_size: usize,
}

/// Runs `f`, which queues a fiber, if the runtime may have another.
fn in_runtime<R>(f: impl FnOnce(&Worker) -> R) -> io::Result<R> {
    Worker::with(|worker| match worker {
        Some(worker) => worker.admit().map(|()| f(worker)),
        None => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "no fibra runtime on this thread: call this inside fibra::run, or use Runtime::spawn",
        )),
    })
}
