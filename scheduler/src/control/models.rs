//! Models of the protocols of a control block, each for itself. See [`models`](crate::models).

use std::ptr::NonNull;
use std::task::{Wake, Waker};

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicU32, AtomicUsize, Ordering, fence};
use loom::sync::{Arc, Notify};
use loom::thread;

use super::ask::Asks;
use super::ending::{Caller, Counterpart, Ending};
use super::heap::Returns;
use crate::models::model;

/// A control block, as far as its end goes. Loom complains if two reach a cell at once.
struct Block {
    ending: Ending,
    result: UnsafeCell<Option<u32>>,
    /// Whatever else of it the worker touches at last, and who frees it.
    memory: UnsafeCell<bool>,
    results_dropped: AtomicUsize,
}

// SAFETY: that its parts are reached by one thread at a time is what the models check.
unsafe impl Sync for Block {}
// SAFETY: as above.
unsafe impl Send for Block {}

/// A blocked fiber: what it waits for, and what it has written that whoever queues it reads.
#[repr(align(8))]
struct Joiner {
    queued: Notify,
    home: UnsafeCell<u32>,
}

struct Call(Notify);

impl Wake for Call {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.notify();
    }
}

impl Block {
    fn new() -> Arc<Self> {
        Arc::new(Block {
            ending: Ending::new(),
            result: UnsafeCell::new(None),
            memory: UnsafeCell::new(false),
            results_dropped: AtomicUsize::new(0),
        })
    }

    /// The fiber's end on its worker, as in `runnable::finish` and `runnable::leave`.
    fn end(&self) {
        // SAFETY: checked by loom.
        self.result.with_mut(|result| unsafe { *result = Some(8) });
        // SAFETY: called once, and joined by `Joiner`s.
        let outstays = match unsafe { self.ending.finish::<Joiner>() } {
            Counterpart::Nobody => false,
            Counterpart::Blocked(joiner) => {
                // SAFETY: it is there until the model ends.
                let joiner = unsafe { joiner.as_ref() };
                self.ending.publish();
                // SAFETY: checked by loom.
                assert_eq!(joiner.home.with(|home| unsafe { *home }), 1);
                joiner.queued.notify();
                false
            }
            Counterpart::Waker(waker) => {
                waker.wake();
                false
            }
            Counterpart::Detached => {
                self.take();
                self.results_dropped.fetch_add(1, Ordering::Relaxed);
                true
            }
        };
        // SAFETY: checked by loom.
        self.memory.with_mut(|freed| unsafe { *freed = outstays });
        if !outstays {
            self.ending.clean();
        }
    }

    fn take(&self) -> Option<u32> {
        // SAFETY: checked by loom.
        self.result.with_mut(|result| unsafe { (*result).take() })
    }

    /// The handle is done with it.
    fn free(&self) {
        self.ending.wait_until_clean();
        // SAFETY: checked by loom.
        self.memory.with_mut(|freed| unsafe {
            assert!(!*freed);
            *freed = true;
        });
    }
}

#[test]
fn who_joins_gets_the_result_and_frees() {
    model(3, || {
        let block = Block::new();
        let copy = block.clone();
        let fiber = thread::spawn(move || copy.end());
        let joiner = Joiner { queued: Notify::new(), home: UnsafeCell::new(0) };
        // SAFETY: checked by loom.
        joiner.home.with_mut(|home| unsafe { *home = 1 });
        if block.ending.join(NonNull::from(&joiner), Caller::Elsewhere) {
            // As any wait of loom's, it may end for no reason.
            while !block.ending.is_done() {
                joiner.queued.wait();
            }
        }
        assert_eq!(block.take(), Some(8));
        block.free();
        fiber.join().expect("no panic");
    });
}

#[test]
fn of_a_detached_fiber_the_second_to_leave_drops_the_result_and_frees() {
    model(3, || {
        let block = Block::new();
        let copy = block.clone();
        let fiber = thread::spawn(move || copy.end());
        if !block.ending.detach(Caller::Elsewhere) {
            assert_eq!(block.take(), Some(8));
            block.results_dropped.fetch_add(1, Ordering::Relaxed);
            block.free();
        }
        fiber.join().expect("no panic");
        assert_eq!(block.results_dropped.load(Ordering::Relaxed), 1);
        // SAFETY: the other thread has ended.
        assert!(block.memory.with(|freed| unsafe { *freed }));
    });
}

#[test]
fn who_polls_is_woken_by_the_last_waker() {
    model(3, || {
        let block = Block::new();
        let copy = block.clone();
        let fiber = thread::spawn(move || copy.end());
        let call = std::sync::Arc::new(Call(Notify::new()));
        if block.ending.poll(Waker::noop()) && block.ending.poll(&Waker::from(call.clone())) {
            while !block.ending.is_done() {
                call.0.wait();
            }
        }
        assert_eq!(block.take(), Some(8));
        block.free();
        fiber.join().expect("no panic");
    });
}

#[test]
fn who_polls_may_detach() {
    model(3, || {
        let block = Block::new();
        let copy = block.clone();
        let fiber = thread::spawn(move || copy.end());
        let is_pending = block.ending.poll(Waker::noop());
        if !is_pending || !block.ending.detach(Caller::Elsewhere) {
            assert_eq!(block.take(), Some(8));
            block.free();
        }
        fiber.join().expect("no panic");
    });
}

/// A fiber, as far as it can be asked for.
struct Asked {
    asks: Asks,
    refs: AtomicU32,
    /// What the inbox links through, and who frees the block takes.
    memory: UnsafeCell<u32>,
    inbox: AtomicUsize,
}

// SAFETY: as for `Block`.
unsafe impl Sync for Asked {}
// SAFETY: as above.
unsafe impl Send for Asked {}

impl Asked {
    /// As in `Control::ask`, by a reference that is then given up.
    fn ask_once(&self) {
        if self.asks.ask() {
            // SAFETY: checked by loom.
            self.memory.with_mut(|memory| unsafe { *memory += 1 });
            self.inbox.fetch_add(1, Ordering::Release);
        }
        self.give_up();
    }

    fn give_up(&self) {
        if self.refs.fetch_sub(1, Ordering::Release) == 1 {
            fence(Ordering::Acquire);
            // SAFETY: checked by loom.
            self.memory.with_mut(|memory| unsafe { *memory = 100 });
        }
    }
}

#[test]
fn a_fiber_that_is_asked_for_stays_until_it_is_drained() {
    for handle_asks in [true, false] {
        model(3, move || {
            // One reference of the fiber's, one of whoever asks.
            let fiber = Arc::new(Asked {
                asks: Asks::new(true),
                refs: AtomicU32::new(2),
                memory: UnsafeCell::new(0),
                inbox: AtomicUsize::new(0),
            });
            let copy = fiber.clone();
            let other = thread::spawn(move || copy.ask_once());
            let is_owed = fiber.asks.close(&fiber.refs, handle_asks);
            if is_owed {
                fiber.refs.fetch_add(1, Ordering::Relaxed);
            }
            fiber.give_up();
            // The worker does not end before it has drained what it is owed.
            if is_owed {
                while fiber.inbox.load(Ordering::Acquire) == 0 {
                    thread::yield_now();
                }
                fiber.asks.drained();
                fiber.give_up();
            }
            other.join().expect("no panic");
            assert_eq!(fiber.inbox.load(Ordering::Relaxed), usize::from(is_owed));
            // SAFETY: the other thread has ended.
            assert_eq!(fiber.memory.with(|memory| unsafe { *memory }), 100);
        });
    }
}

/// A block of a heap. Large enough for what returns put there.
#[repr(align(8))]
struct Memory([u8; 64]);

#[test]
fn every_block_comes_back_once() {
    model(3, || {
        let returns = Arc::new(Returns::default());
        let used = Arc::new([UnsafeCell::new(0), UnsafeCell::new(0)]);
        let mut blocks = [Memory([0; 64]), Memory([0; 64])];
        let addresses = blocks.each_mut().map(|block| NonNull::from(block).cast::<u8>().expose_provenance());
        let threads = [0, 1].map(|index| {
            let (returns, used) = (returns.clone(), used.clone());
            thread::spawn(move || {
                // SAFETY: checked by loom.
                used[index].with_mut(|used| unsafe { *used = index + 1 });
                let block = NonNull::with_exposed_provenance(addresses[index]);
                // SAFETY: the block is this thread's, until it is drained. Nobody looks at the chunk.
                unsafe { returns.push(block, NonNull::dangling()) };
            })
        });
        let mut back = Vec::new();
        let mut drain = || {
            for (block, _) in returns.drain() {
                let index = addresses.iter().position(|&address| address == block.addr()).expect("one of ours");
                // SAFETY: checked by loom.
                back.push(used[index].with(|used| unsafe { *used }));
            }
        };
        drain();
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        drain();
        back.sort_unstable();
        assert_eq!(back, [1, 2]);
        // They have been there until now.
        let _ = &blocks;
    });
}
