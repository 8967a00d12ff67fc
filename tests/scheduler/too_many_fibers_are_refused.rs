use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Wake};
use std::thread;

use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::{
    Builder, JoinHandle, TooManyFibers, counters, driver, runtime, scope, spawn, spawn_local, yield_now,
};

fn runtime_of(workers: usize, fibers_max: usize) -> runtime::Builder {
    runtime::Builder::new(driver::idle).workers(workers).fibers_max(fibers_max)
}

fn reason<T>(refused: io::Result<T>) -> TooManyFibers {
    let error = refused.map(drop).expect_err("there are as many as there may be");
    assert_eq!(error.kind(), io::ErrorKind::QuotaExceeded);
    assert!(error.to_string().contains("fibers_max("), "names the knob: {error}");
    *error.get_ref().and_then(|inner| inner.downcast_ref()).expect("typed")
}

fn waiting() -> io::Result<JoinHandle<()>> {
    Builder::new().spawn(|| park::park(Reason::Parked))
}

/// Lets others run until a spawn succeeds.
fn insist<T>(mut spawn: impl FnMut() -> io::Result<T>) -> T {
    loop {
        match spawn() {
            Ok(spawned) => return spawned,
            Err(_) => yield_now(),
        }
    }
}

/// Ends the fibers one after the other; for each there is room for one other, and no more.
fn replace(fibers: Vec<JoinHandle<()>>) {
    let replace = |fiber: JoinHandle<()>| {
        fiber.unparker().unpark();
        fiber.join().expect("no panic");
        let next = waiting().expect("one has ended");
        reason(waiting());
        next
    };
    end(fibers.into_iter().map(replace).collect());
}

fn end(fibers: Vec<JoinHandle<()>>) {
    fibers.iter().for_each(|fiber| fiber.unparker().unpark());
    fibers.into_iter().for_each(|fiber| fiber.join().expect("no panic"));
}

#[test]
fn one_worker_has_exactly_as_many_as_it_may() {
    // Few enough to be counted one by one; some blocks; and many.
    for fibers_max in [2, 500, 3000] {
        let full = || {
            let fibers: Vec<_> = (1..fibers_max).map(|_| waiting().expect("room")).collect();
            let refused = reason(waiting());
            assert_eq!((refused.fibers_max, refused.live), (fibers_max, fibers_max), "none has started");
            crate::until_parked(fibers_max - 1);
            assert_eq!(reason(waiting()).live, fibers_max, "all have started");
            assert_eq!(reason(Builder::new().spawn_local(|| ())).live, fibers_max);
            assert_eq!((counters().live, counters().refused), (fibers_max as u64, 3));
            replace(fibers);
        };
        runtime_of(1, fibers_max).run(full).expect("a runtime");
    }
}

#[test]
fn a_bound_of_none_leaves_room_for_the_first() {
    let refused = runtime_of(1, 0).run(|| reason(waiting())).expect("a runtime");
    assert_eq!((refused.fibers_max, refused.live), (1, 1));
}

#[test]
fn a_refused_closure_is_dropped() {
    let alone = || {
        let token = Rc::new(());
        let copy = token.clone();
        reason(Builder::new().spawn_local(move || drop(copy)));
        assert_eq!(Rc::strong_count(&token), 1);
    };
    runtime_of(1, 1).run(alone).expect("a runtime");
}

#[test]
fn a_scope_is_refused_like_any_other() {
    let scoped = || {
        let sum = Cell::new(0);
        scope(|s| {
            let first = Builder::new().spawn_scoped(s, || 3).expect("room");
            reason(Builder::new().spawn_local_scoped(s, || sum.set(1)));
            assert_eq!(first.join().expect("no panic"), 3);
            Builder::new().spawn_local_scoped(s, || sum.set(sum.get() + 5)).expect("one has ended");
        });
        sum.get()
    };
    assert_eq!(runtime_of(1, 2).run(scoped).expect("a runtime"), 5);
}

#[test]
#[cfg(panic = "unwind")]
fn where_there_is_no_error_to_return_it_is_a_panic() {
    let alone = || {
        let message = |spawn: fn()| {
            let payload = std::panic::catch_unwind(spawn).expect_err("it panics");
            payload.downcast_ref::<String>().expect("formatted").clone()
        };
        for spawn in
            [|| drop(spawn(|| ())), || drop(spawn_local(|| ())), || scope(|s| drop(s.spawn(|| ())))] as [fn(); 3]
        {
            assert!(message(spawn).contains("fibers_max("));
        }
    };
    runtime_of(1, 1).run(alone).expect("a runtime");
}

#[test]
fn a_plain_thread_is_refused_and_then_let_in() {
    let runtime = runtime_of(2, 1).start().expect("a runtime");
    for round in 0..1000 {
        let fiber = runtime.spawn(|| park::park(Reason::Parked)).expect("the one before has ended");
        if round % 100 == 0 {
            assert_eq!(reason(runtime.spawn(|| ())).live, 1);
        }
        fiber.unparker().unpark();
        fiber.join().expect("no panic");
    }
    assert_eq!(runtime.counters().refused, 10);
}

#[test]
fn whoever_learns_of_an_end_may_spawn_another() {
    /// Spawns when it is woken; whether that succeeded.
    #[derive(Default)]
    struct Spawns(OnceLock<bool>);
    impl Wake for Spawns {
        fn wake(self: Arc<Self>) {
            self.0.get_or_init(|| Builder::new().spawn(|| ()).is_ok());
        }
    }
    let two = || {
        let mut fiber = Builder::new().spawn(|| ()).expect("room");
        let joiner = Arc::new(Spawns::default());
        let waker = joiner.clone().into();
        assert!(Pin::new(&mut fiber).poll(&mut Context::from_waker(&waker)).is_pending());
        yield_now();
        assert_eq!(joiner.0.get(), Some(&true));
    };
    runtime_of(1, 2).run(two).expect("a runtime");
}

#[test]
fn a_fiber_without_a_stack_gives_its_place_back() {
    let two = || {
        for _ in 0..10 {
            let fiber = Builder::new().stack_size(usize::MAX / 2).spawn(|| ()).expect("the one before has ended");
            assert!(fiber.join().is_err());
        }
    };
    runtime_of(1, 2).run(two).expect("a runtime");
}

#[test]
fn a_fiber_counts_until_the_result_is_dropped_that_nobody_awaits() {
    struct Lingers(Rc<Cell<bool>>);
    impl Drop for Lingers {
        fn drop(&mut self) {
            while !self.0.get() {
                yield_now();
            }
        }
    }
    let two = || {
        let (done, result) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
        let lingers = Lingers(result.clone());
        let (begun, begins) = (done.clone(), done);
        drop(Builder::new().spawn_local(move || {
            begun.set(true);
            lingers
        }));
        while !begins.get() {
            yield_now();
        }
        assert_eq!(reason(waiting()).live, 2, "it still runs its result's destructor");
        result.set(true);
        yield_now();
        waiting().expect("it has ended").unparker().unpark();
    };
    runtime_of(1, 2).run(two).expect("a runtime");
}

/// Counts fibers, if anything late where they begin and early where they end; and the most that there were at once.
#[derive(Default)]
struct Crowd {
    live: AtomicIsize,
    most: AtomicIsize,
}

impl Crowd {
    fn spawned(&self) {
        let live = self.live.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(live, Ordering::SeqCst);
    }

    fn ends(&self) {
        self.live.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn several_workers_and_threads_never_have_more_together() {
    const FIBERS_MAX: usize = 300;
    const SPAWNERS: usize = 4;
    let runtime = Arc::new(runtime_of(3, FIBERS_MAX).start().expect("a runtime"));
    let crowd = Arc::new(Crowd::default());
    let visit = |crowd: &Arc<Crowd>| {
        let crowd = crowd.clone();
        move || {
            yield_now();
            crowd.ends();
        }
    };
    let spawner = || {
        let crowd = crowd.clone();
        move || {
            for _ in 0..5000 {
                insist(|| Builder::new().spawn(visit(&crowd)));
                crowd.spawned();
            }
        }
    };
    let fibers: Vec<_> = (0..SPAWNERS).map(|_| insist(|| runtime.spawn(spawner()))).collect();
    let threads = [(); 2].map(|()| {
        let (runtime, crowd) = (runtime.clone(), crowd.clone());
        thread::spawn(move || {
            for _ in 0..2000 {
                insist(|| runtime.spawn(visit(&crowd)));
                crowd.spawned();
            }
        })
    });
    fibers.into_iter().for_each(|fiber| fiber.join().expect("no panic"));
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    assert!(runtime.counters().refused > 0, "they have come to the bound");
    let most = crowd.most.load(Ordering::SeqCst) as usize;
    assert!((FIBERS_MAX / 2..=FIBERS_MAX).contains(&most), "{most}");

    // No place was lost on the way: all can be had again, if by and by, as the workers give theirs back.
    let all = || {
        let fibers: Vec<_> = (1..FIBERS_MAX).map(|_| insist(waiting)).collect();
        let full = reason(waiting());
        end(fibers);
        full
    };
    let all = insist(|| runtime.spawn(all)).join().expect("no panic");
    assert_eq!(all.live, FIBERS_MAX);
}

#[test]
fn under_a_seed_too() {
    let run = |seed| {
        let full = || {
            let fibers: Vec<_> = (1..50).map(|_| waiting().expect("room")).collect();
            reason(waiting());
            replace(fibers);
        };
        runtime_of(1, 50).seed(seed).run_traced(full).expect("no deadlock").1.hash()
    };
    for seed in 0..10 {
        assert_eq!(run(seed), run(seed));
    }
}
