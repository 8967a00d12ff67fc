use std::cell::Cell;
use std::rc::Rc;

use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::{spawn_local, yield_now};

#[test]
fn a_thousand_fibers_share_one_worker() {
    const FIBERS: usize = 1000;
    crate::run_on(1, || {
        let waiting = Rc::new(Cell::new(0));
        let open = Rc::new(Cell::new(false));
        let fibers: Vec<_> = (0..FIBERS)
            .map(|n| {
                let (waiting, open) = (waiting.clone(), open.clone());
                spawn_local(move || {
                    waiting.set(waiting.get() + 1);
                    while !open.get() {
                        park::park(Reason::Parked);
                    }
                    n
                })
            })
            .collect();
        while waiting.get() < FIBERS {
            yield_now();
        }
        // All of them are alive at this instant, each on a stack of its own.
        open.set(true);
        fibers.iter().for_each(|fiber| fiber.unparker().unpark());
        let sum: usize = fibers.into_iter().map(|fiber| fiber.join().expect("no panic")).sum();
        assert_eq!(sum, FIBERS * (FIBERS - 1) / 2);
    });
}
