//! Whom a fiber unparks runs next; whom it unparks in turn runs after those who were ready before.

use std::cell::RefCell;
use std::rc::Rc;

use fibra_scheduler::park::{self, Reason, Unparker};
use fibra_scheduler::{driver, runtime, spawn_local, yield_now};

fn on_one_worker<T>(f: impl FnOnce() -> T) -> T {
    runtime::Builder::new(driver::idle).workers(1).run(f).expect("the runtime starts")
}

/// In which order a waiter and three bystanders run, if the waiter is woken so.
fn order(wake: impl Fn(&Unparker)) -> Vec<&'static str> {
    on_one_worker(|| {
        let ran = Rc::new(RefCell::new(Vec::new()));
        let parked = |name: &'static str| {
            let ran = Rc::clone(&ran);
            spawn_local(move || {
                park::park(Reason::Parked);
                ran.borrow_mut().push(name);
            })
        };
        let bystanders = ["a", "b", "c"].map(parked);
        let waiter = parked("waiter");
        yield_now();
        for bystander in &bystanders {
            bystander.unparker().unpark_in_turn();
        }
        wake(&waiter.unparker());
        for fiber in bystanders.into_iter().chain([waiter]) {
            fiber.join().expect("it does not panic");
        }
        ran.take()
    })
}

#[test]
fn it_comes_after_the_ready() {
    assert_eq!(order(Unparker::unpark_in_turn), ["a", "b", "c", "waiter"]);
}

#[test]
fn an_unpark_does_jump_it() {
    assert_eq!(order(Unparker::unpark), ["waiter", "a", "b", "c"]);
}

#[test]
fn a_token_that_is_given_early_is_kept() {
    on_one_worker(|| {
        park::current().unpark_in_turn();
        park::park(Reason::Parked);
        let from_elsewhere = park::current();
        std::thread::spawn(move || from_elsewhere.unpark_in_turn());
        park::park(Reason::Parked);
    });
}
