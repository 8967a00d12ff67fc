//! Stands in for crossbeam-deque, which has models of its own: queues behind a lock, with the calls that we use.
//!
//! No stronger than the real ones: how long a queue is may be news of yesterday, and what a thief takes is for a while in neither
//! queue.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::primitive::{AtomicUsize, Mutex, Ordering};

#[derive(Debug)]
struct Queue<T> {
    items: Mutex<VecDeque<T>>,
    /// How many, to be looked at without the lock.
    len: AtomicUsize,
}

impl<T> Queue<T> {
    fn new() -> Arc<Self> {
        Arc::new(Queue { items: Mutex::new(VecDeque::new()), len: AtomicUsize::new(0) })
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    fn with<R>(&self, f: impl FnOnce(&mut VecDeque<T>) -> R) -> R {
        let mut items = self.items.lock();
        let result = f(&mut items);
        self.len.store(items.len(), Ordering::Relaxed);
        result
    }

    fn push(&self, item: T) {
        self.with(|items| items.push_back(item));
    }

    fn pop(&self) -> Option<T> {
        if self.is_empty() { None } else { self.with(VecDeque::pop_front) }
    }

    /// Half of them, as crossbeam does.
    fn steal_batch(&self, into: &Queue<T>) -> Steal<()> {
        if self.is_empty() {
            return Steal::Empty;
        }
        let stolen = self.with(|items| items.drain(..items.len().div_ceil(2)).collect::<Vec<_>>());
        if stolen.is_empty() {
            return Steal::Empty;
        }
        into.with(|items| items.extend(stolen));
        Steal::Success(())
    }
}

#[derive(Debug)]
pub(crate) enum Steal<T> {
    Empty,
    Success(T),
    #[expect(dead_code, reason = "who holds the lock has no rival")]
    Retry,
}

#[derive(Debug)]
pub(crate) struct Worker<T>(Arc<Queue<T>>);

impl<T> Worker<T> {
    pub(crate) fn new_fifo() -> Self {
        Worker(Queue::new())
    }

    pub(crate) fn stealer(&self) -> Stealer<T> {
        Stealer(self.0.clone())
    }

    pub(crate) fn push(&self, item: T) {
        self.0.push(item);
    }

    pub(crate) fn pop(&self) -> Option<T> {
        self.0.pop()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[derive(Debug)]
pub(crate) struct Stealer<T>(Arc<Queue<T>>);

impl<T> Stealer<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn steal_batch(&self, into: &Worker<T>) -> Steal<()> {
        self.0.steal_batch(&into.0)
    }
}

#[derive(Debug)]
pub(crate) struct Injector<T>(Arc<Queue<T>>);

impl<T> Injector<T> {
    pub(crate) fn new() -> Self {
        Injector(Queue::new())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn push(&self, item: T) {
        self.0.push(item);
    }

    pub(crate) fn steal(&self) -> Steal<T> {
        self.0.pop().map_or(Steal::Empty, Steal::Success)
    }

    pub(crate) fn steal_batch(&self, into: &Worker<T>) -> Steal<()> {
        self.0.steal_batch(&into.0)
    }
}
