//! A busy worker asks its driver when those whom it woke have had their turn, and before a timer fires.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use fibra_scheduler::driver::{self, Driver, DriverWaker};
use fibra_scheduler::park::{self, Reason, Unparker, Wakeup};
use fibra_scheduler::{clock, runtime, spawn_local, yield_now};

thread_local! {
    static POLLS: Cell<u32> = const { Cell::new(0) };
    /// Whom the next polls wake: one of these each.
    static TO_WAKE: RefCell<Vec<Vec<Unparker>>> = const { RefCell::new(Vec::new()) };
}

/// Wakes whom it is told to, and otherwise sleeps as an idle one.
struct Waking(Box<dyn Driver>);

impl Driver for Waking {
    fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        POLLS.set(POLLS.get() + 1);
        match TO_WAKE.take().split_first() {
            Some((now, later)) => {
                TO_WAKE.set(later.to_vec());
                now.iter().for_each(Unparker::unpark);
                Ok(())
            }
            None => self.0.poll(timeout),
        }
    }

    fn waker(&self) -> Arc<dyn DriverWaker> {
        self.0.waker()
    }
}

fn on_one_worker(f: impl FnOnce()) {
    let waking = |worker| Ok(Box::new(Waking(driver::idle(worker)?)) as Box<dyn Driver>);
    runtime::Builder::new(waking).workers(1).run(f).expect("the runtime starts");
}

fn spin(duration: Duration) {
    let begin = clock::now();
    while clock::now() < begin + duration {
        std::hint::spin_loop();
    }
}

/// More than run in a round, and for longer than the driver is left alone otherwise.
const MANY: usize = 200;

#[test]
fn when_those_whom_it_woke_have_run() {
    on_one_worker(|| {
        let polls_seen = Rc::new(RefCell::new(Vec::new()));
        let woken: Vec<_> = (0..MANY)
            .map(|_| {
                let polls_seen = Rc::clone(&polls_seen);
                spawn_local(move || {
                    park::park(Reason::Parked);
                    spin(Duration::from_micros(5));
                    polls_seen.borrow_mut().push(POLLS.get());
                })
            })
            .collect();
        yield_now();
        TO_WAKE.set(vec![woken.iter().map(|fiber| fiber.unparker()).collect()]);
        // The last one first: whoever runs in between counts, too.
        for fiber in woken.into_iter().rev() {
            fiber.join().expect("it does not panic");
        }
        let polls_seen = polls_seen.take();
        assert!(polls_seen.iter().all(|polls| *polls == polls_seen[0]), "{polls_seen:?}");
    });
}

#[test]
fn also_if_they_never_stop_yielding() {
    on_one_worker(|| {
        let is_over = Rc::new(Cell::new(false));
        let yielding: Vec<_> = (0..MANY)
            .map(|_| {
                let is_over = Rc::clone(&is_over);
                spawn_local(move || {
                    park::park(Reason::Parked);
                    while !is_over.get() {
                        yield_now();
                    }
                })
            })
            .collect();
        yield_now();
        let unparkers = yielding.iter().map(|fiber| fiber.unparker()).collect();
        TO_WAKE.set(vec![unparkers, vec![park::current()]]);
        park::park(Reason::Parked);
        is_over.set(true);
        for fiber in yielding {
            fiber.join().expect("it does not panic");
        }
    });
}

#[test]
fn before_a_timer_fires() {
    on_one_worker(|| {
        // Far enough for a loaded machine to get as far as the first of those who are busy until then.
        let deadline = clock::now() + Duration::from_millis(300);
        let busy: Vec<_> = (0..MANY)
            .map(|_| {
                spawn_local(move || {
                    park::park(Reason::Parked);
                    while clock::now() < deadline + Duration::from_millis(1) {
                        std::hint::spin_loop();
                    }
                })
            })
            .collect();
        yield_now();
        // What the second brings had come long before the deadline, and the worker was busy with what the first brought.
        let unparkers = busy.iter().map(|fiber| fiber.unparker()).collect();
        TO_WAKE.set(vec![unparkers, vec![park::current()]]);
        assert_eq!(park::park_until(Reason::Parked, Some(deadline)), Wakeup::Unparked);
        for fiber in busy {
            fiber.join().expect("it does not panic");
        }
    });
}
