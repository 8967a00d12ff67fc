//! The protocols that cross threads, run by loom through every order that threads and the memory model allow, with a bound on how often a
//! thread is preempted where a model would take too long otherwise: `.ci/loom`.
//!
//! | models | what they check |
//! |---|---|
//! | `queue::models` | the inbox: pushed by many, taken whole |
//! | `control::ask::models` | a fiber that other threads wake: park, unpark, timer, its end |
//! | `control::models`, `join::models` | a fiber's end: result, joiner, handle, memory; blocks that other threads free |
//! | `worker::remote::models`, `worker::idle::models` | waking a worker, and which one |
//! | `worker::turn::models` | falling asleep against being handed work; stealing |
//! | `sync::models` | locks, channels, select |
//!
//! What runs is the code that ships: [`primitive`](crate::primitive) gives it loom's atomics, locks and cells. Only contexts are left
//! out: a model's worker does by hand what a fiber would on its stack. It does not count as this thread's, since loom runs all threads on
//! one: so what could be done at home without a locked instruction is done as from elsewhere.
//!
//! A wake-up that is lost shows as a deadlock, data that is reached by two at once as a violation of its cell.
//!
//! What loom does not do: an operation that is `SeqCst` counts as `AcqRel` (we use fences, which it knows); a weak exchange does not fail
//! for no reason; a load sees one of the last seven stores. And where a thread loads and then exchanges, loom does not try the exchange before
//! what others have loaded earlier, unless something else makes it change their order: hence [`guess`](crate::primitive::guess).

pub(crate) mod deque;

use std::io;
use std::panic::Location;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use loom::sync::Condvar;

use crate::clock;
use crate::control::{self, Heap, Runnable};
use crate::driver::{self, Driver, DriverWaker};
use crate::primitive::{Mutex, Ordering};
use crate::runtime;
use crate::spawn::Site;
pub(crate) use crate::worker::Alone;

/// As loom's, with time standing still, and up to `preemptions` switches of threads that go on of their own.
pub(crate) fn model(preemptions: impl Into<Option<usize>>, f: impl Fn() + Send + Sync + 'static) {
    let _clock = clock::Virtual::start();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions.into();
    builder.check(f);
}

/// A fiber that has not started, and its handle.
pub(crate) fn fiber<T: 'static>(f: impl FnOnce() -> T + 'static) -> (Runnable, crate::JoinHandle<T>) {
    // Not kept: without chunks, a control block remembers no heap.
    let heap = Heap::default();
    let site = Site { heap: &heap, home: ptr::null(), stack_size: 0 };
    crate::Builder::new().allocate(site, Location::caller(), f)
}

/// One whose handle is gone.
pub(crate) fn detached() -> Runnable {
    fiber(|| ()).0
}

/// Ends a fiber that never ran.
pub(crate) fn end(fiber: Runnable) {
    let raw = fiber.into_raw();
    // SAFETY: it is the one that we have just dissolved.
    unsafe { Runnable::from_raw(raw) }.refuse(Box::new(()));
    // SAFETY: it has ended, is in no queue, and we have done with it.
    unsafe { control::leave(raw) };
}

/// A runtime's settings. Made once a model, since they look at the machine.
pub(crate) fn settings(workers: usize) -> runtime::Builder {
    runtime::Builder::new(driver::idle).workers(workers).trim_after(Duration::MAX).sample_stacks(None)
}

/// What a worker of a model waits in, and how often it was woken there.
#[derive(Clone, Default)]
pub(crate) struct Bell(Arc<BellState>);

#[derive(Default)]
struct BellState {
    rung: Mutex<bool>,
    changed: Condvar,
    wakes: AtomicUsize,
}

impl Bell {
    pub(crate) fn wakes(&self) -> usize {
        self.0.wakes.load(Ordering::Relaxed)
    }
}

impl Driver for Bell {
    fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let mut rung = self.0.rung.lock();
        // No timer is armed in a model: what is not zero is for ever.
        while !*rung && timeout != Some(Duration::ZERO) {
            rung = self.0.changed.wait(rung).expect("a model does not panic");
        }
        *rung = false;
        Ok(())
    }

    fn waker(&self) -> Arc<dyn DriverWaker> {
        Arc::new(self.clone())
    }
}

impl DriverWaker for Bell {
    fn wake(&self) {
        self.0.wakes.fetch_add(1, Ordering::Relaxed);
        *self.0.rung.lock() = true;
        self.0.changed.notify_one();
    }
}
