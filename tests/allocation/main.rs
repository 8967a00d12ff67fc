//! What is allocated: nothing by waiting and waking, once everyone is there; and what an idle connection holds. In a program of its own, since it
//! counts every allocation.

mod an_idle_connection_holds_three_blocks;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::sync::{Mutex, Semaphore, channel, select};
use fibra_scheduler::{clock, driver, runtime, sleep, spawn, yield_now};

struct Counting;

thread_local! {
    /// By thread: the one worker is the test's own thread, and the test harness has others.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static HELD: Cell<Held> = const { Cell::new(Held { blocks: 0, bytes: 0 }) };
}

/// What a thread has allocated and not freed, less what it has freed of others'.
#[derive(Clone, Copy)]
struct Held {
    blocks: i64,
    /// As glibc has it: with a header of eight, in steps of 16, and at least 32.
    bytes: i64,
}

impl Held {
    fn count(sign: i64, layout: Layout) {
        let Self { blocks, bytes } = HELD.get();
        let size = (layout.size() + 8).next_multiple_of(16).max(32) as i64;
        HELD.set(Self { blocks: blocks + sign, bytes: bytes + sign * size });
    }
}

// SAFETY: all of it is the system's; counting touches nothing that it knows of.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        Held::count(1, layout);
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        Held::count(-1, layout);
        // SAFETY: as the caller says.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs `f` a hundred times to warm up, and then a thousand times, counting.
fn allocates_nothing(what: &str, mut f: impl FnMut()) {
    (0..100).for_each(|_| f());
    let before = ALLOCATIONS.get();
    (0..1000).for_each(|_| f());
    assert_eq!(ALLOCATIONS.get() - before, 0, "{what}");
}

fn run(f: impl FnOnce()) {
    runtime::Builder::new(driver::idle).workers(1).run(f).expect("a runtime");
}

fn run_with_sockets(f: impl FnOnce()) {
    fibra::runtime::builder().workers(1).run(f).expect("a runtime");
}

#[test]
fn waiting_and_waking_allocate_nothing() {
    run(|| {
        let me = park::current();
        let other = spawn(move || {
            loop {
                me.unpark();
                if park::wait(Reason::Parked, None).is_err() {
                    break;
                }
            }
        });
        let unparker = other.unparker();
        allocates_nothing("park and unpark", || {
            unparker.unpark();
            park::park(Reason::Parked);
        });
        other.cancel();
        other.join().expect("no panic");
    });
    run(|| {
        let (there, received) = channel::bounded::<u64>(1);
        let (back, returned) = channel::bounded(0);
        let echo = spawn(move || received.iter().for_each(|n| back.send(n).expect("received")));
        allocates_nothing("channels", || {
            there.send(1).expect("echoed");
            assert_eq!(returned.recv(), Ok(1));
        });
        allocates_nothing("select", || {
            there.send(1).expect("echoed");
            select! {
                recv(returned) -> n => assert_eq!(n, Ok(1)),
                default(Duration::from_secs(3600)) => unreachable!("it comes back"),
            }
        });
        drop(there);
        echo.join().expect("no panic");
    });
    run(|| {
        let shared = Arc::new((Mutex::new(false), Semaphore::new(1)));
        let copy = shared.clone();
        let other = spawn(move || {
            while !*copy.0.lock() {
                let _permit = copy.1.acquire().expect("nobody cancels");
                yield_now();
            }
        });
        allocates_nothing("locks", || {
            let held = shared.0.lock();
            yield_now();
            drop(held);
            let permit = shared.1.acquire().expect("nobody cancels");
            yield_now();
            drop(permit);
        });
        *shared.0.lock() = true;
        other.join().expect("no panic");
    });
    run(|| {
        allocates_nothing("timers", || sleep(Duration::from_micros(1)).expect("nobody cancels"));
        let mutex = Mutex::new(());
        let _held = mutex.lock();
        allocates_nothing("a lock that is not had in time", || {
            assert!(mutex.try_lock_until(clock::now() + Duration::from_micros(1)).is_none());
        });
    });
}
