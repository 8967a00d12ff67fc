//! Models of workers that fall asleep while they are handed work. See [`models`](crate::models).

use std::cell::RefCell;
use std::ptr::NonNull;
use std::sync::Arc;

use loom::thread;

use super::super::Worker;
use crate::control::{Control, Runnable};
use crate::driver::Driver;
use crate::dump::Request;
use crate::models::{Bell, detached, end, model, settings};
use crate::runtime::{self, Shared};

impl Worker {
    fn with_bell(self) -> (Worker, Bell) {
        let bell = Bell::default();
        self.remote().set_waker(bell.waker());
        (self, bell)
    }

    /// What [`run`](Worker::run) does between two fibers: gets the next. `None`: the runtime has stopped.
    fn wait(&self, bell: &mut Bell) -> Option<Runnable> {
        loop {
            match self.next() {
                Some(runnable) => return Some(runnable),
                None if self.is_finished() => return None,
                None => self.sleep(bell),
            }
        }
    }
}

/// The only worker of a runtime, on the thread of the model, and what its fibers would do on their stacks.
pub(crate) struct Alone {
    worker: Worker,
    bell: RefCell<Bell>,
}

impl Alone {
    pub(crate) fn new(settings: &runtime::Builder) -> Self {
        let (shared, seats) = Shared::new(settings, false);
        let (index, fresh) = seats.into_iter().next().expect("there is one");
        let (worker, bell) = Worker::new(shared, index, fresh).with_bell();
        Alone { worker, bell: RefCell::new(bell) }
    }

    /// As [`Worker::start`], but without a stack.
    pub(crate) fn start(&self, runnable: Runnable) -> NonNull<Control> {
        let control = runnable.control();
        control.settle(self.worker.address);
        let fiber = NonNull::from(control);
        // SAFETY: we have just become its home worker.
        unsafe { control.owned() }.live_key.set(self.worker.live.borrow_mut().insert(fiber));
        runnable.into_raw()
    }

    /// As [`Worker::park_running`]. `meanwhile` runs on the worker once the fiber is parked.
    pub(crate) fn park(&self, fiber: NonNull<Control>, meanwhile: impl FnOnce()) {
        // SAFETY: it runs, here.
        let owned = unsafe { fiber.as_ref().owned() };
        if owned.token.park() {
            meanwhile();
            let runnable = self.worker.wait(&mut self.bell.borrow_mut()).expect("the runtime does not stop");
            assert_eq!(runnable.into_raw(), fiber);
            owned.token.take();
        }
        assert!(self.worker.ready.is_empty(), "queued once more than it parked");
    }

    /// As the loop when the fiber's timer has expired. It may have been woken just before.
    pub(crate) fn expire(&self, fiber: NonNull<Control>) {
        self.worker.take_inbox();
        // SAFETY: this is its home worker, and it has not ended.
        if let Some(runnable) = unsafe { Control::expire(fiber) } {
            self.worker.ready.push_back(runnable);
        }
    }

    /// Runs the fiber's closure, and does what the loop does behind it.
    pub(crate) fn end(&self, fiber: NonNull<Control>) {
        // SAFETY: it runs, here.
        let runnable = unsafe { Runnable::from_raw(fiber) };
        runnable.entry(false)();
        self.worker.bury(runnable.into_raw());
    }

    /// Ends as [`Worker::run`] does once the runtime stops.
    pub(crate) fn stop(&self) {
        self.worker.shared.stop();
        assert!(self.worker.wait(&mut self.bell.borrow_mut()).is_none());
        assert!(!self.worker.leave());
        self.worker.remote().outlast_deliveries();
    }
}

/// A runtime whose workers run on threads of the model.
struct Model {
    shared: Arc<Shared>,
    /// A worker that does nothing but spawn.
    busy: Option<Worker>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Model {
    /// Has `prepare` leave something for the workers, and starts them, but for the first if that is to be busy.
    fn start(
        settings: &runtime::Builder,
        is_first_busy: bool,
        prepare: impl FnOnce(&Self),
        work: impl Fn(&Worker, &mut Bell) + Clone + 'static,
    ) -> Self {
        let (shared, mut seats) = Shared::new(settings, false);
        let others = seats.split_off(usize::from(is_first_busy));
        let busy = seats.pop().map(|(index, fresh)| Worker::new(shared.clone(), index, fresh));
        let mut model = Model { shared, busy, threads: Vec::new() };
        prepare(&model);
        for (index, fresh) in others {
            let (shared, work) = (model.shared.clone(), work.clone());
            model.threads.push(thread::spawn(move || {
                let (worker, mut bell) = Worker::new(shared, index, fresh).with_bell();
                work(&worker, &mut bell);
            }));
        }
        model
    }

    /// Spawns a closure from outside, or on the busy worker.
    fn spawn(&self) {
        match &self.busy {
            None => self.shared.spawn(detached()),
            Some(busy) => busy.spawn(detached()),
        }
    }

    /// Has a fiber at home on the first worker, and parked: it holds its own reference then. Before the workers start.
    fn park(&self, fiber: &Runnable) {
        fiber.control().settle(&self.shared.workers[0]);
        // SAFETY: no worker runs yet.
        assert!(unsafe { fiber.control().owned() }.token.park());
    }

    /// As who has put something back into a queue that another may have missed.
    fn wake_one(&self) {
        self.shared.sleepers.wake_one(&self.shared.workers);
    }

    fn join(self) {
        self.threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    }
}

/// What a worker does: runs that many fibers. The last one never ends, so whatever is left is for others.
fn run(fibers: usize) -> impl Fn(&Worker, &mut Bell) + Clone + 'static {
    move |worker, bell| (0..fibers).for_each(|_| end(worker.wait(bell).expect("the runtime does not stop")))
}

#[test]
fn a_stop_reaches_whoever_falls_asleep() {
    let settings = settings(2);
    model(3, move || {
        let model = Model::start(&settings, false, |_| (), |worker, bell| assert!(worker.wait(bell).is_none()));
        model.shared.stop();
        model.join();
    });
}

#[test]
fn a_request_reaches_whoever_falls_asleep() {
    let settings = settings(1);
    model(None, move || {
        let request = Request::new(1);
        let copy = request.clone();
        let work = move |worker: &Worker, bell: &mut Bell| {
            while !copy.is_answered() {
                worker.sleep(bell);
            }
        };
        let model = Model::start(&settings, false, |_| (), work);
        assert!(model.shared.workers[0].ask(request));
        model.join();
    });
}

#[test]
fn two_who_spawn_at_once_rely_on_each_other() {
    let settings = settings(1);
    model(2, move || {
        let model = Model::start(&settings, false, |_| (), run(2));
        let shared = model.shared.clone();
        let other = thread::spawn(move || shared.spawn(detached()));
        model.spawn();
        other.join().expect("no panic");
        model.join();
    });
}

#[test]
fn what_is_spawned_from_outside_wakes_as_many_as_it_takes() {
    let settings = settings(2);
    model(2, move || {
        let model = Model::start(&settings, false, |_| (), run(1));
        model.spawn();
        model.spawn();
        model.join();
    });
}

#[test]
fn what_a_busy_worker_spawns_wakes_as_many_as_it_takes() {
    let settings = settings(3);
    model(2, move || {
        let model = Model::start(&settings, true, |_| (), run(1));
        model.spawn();
        model.spawn();
        model.join();
    });
}

#[test]
fn what_was_on_its_way_to_one_wakes_who_fell_asleep_meanwhile() {
    for is_first_busy in [false, true] {
        let settings = settings(3 + usize::from(is_first_busy));
        model(1, move || {
            let spawn = |model: &Model| (0..3).for_each(|_| model.spawn());
            Model::start(&settings, is_first_busy, spawn, run(1)).join();
        });
    }
}

#[test]
fn what_is_spawned_while_one_searches_that_has_work_of_its_own_is_run_by_another() {
    let settings = settings(2);
    model(2, move || {
        let own = detached();
        let work = move |worker: &Worker, bell: &mut Bell| {
            loop {
                let fiber = worker.wait(bell).expect("the runtime does not stop");
                let is_own = !fiber.control().home().is_null();
                end(fiber);
                // Its own never ends.
                if is_own || worker.index == 1 {
                    return;
                }
                // Leaves the other another one, once it has its own in view, too.
                worker.take_inbox();
                worker.spawn(detached());
            }
        };
        let model = Model::start(&settings, false, |model| model.park(&own), work);
        let reference = own.reference();
        let _ = own.into_raw();
        model.wake_one();
        reference.unpark();
        drop(reference);
        model.spawn();
        model.join();
    });
}
