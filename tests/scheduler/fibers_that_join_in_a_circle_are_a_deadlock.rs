use std::cell::RefCell;
use std::rc::Rc;

use fibra_scheduler::park::Reason;
use fibra_scheduler::{JoinHandle, dump, spawn_local, yield_now};

#[test]
fn fibers_that_join_in_a_circle_are_a_deadlock() {
    crate::run_on(1, || {
        const FIBERS: usize = 3;
        let handles: Rc<RefCell<Vec<Option<JoinHandle<()>>>>> = Rc::default();
        let ids: Vec<_> = (0..FIBERS)
            .map(|n| {
                let handles_of_all = handles.clone();
                let fiber = spawn_local(move || {
                    let next = handles_of_all.borrow_mut()[(n + 1) % FIBERS].take();
                    next.expect("each is joined once").join().expect("no panic");
                });
                let id = fiber.id();
                handles.borrow_mut().push(Some(fiber));
                id
            })
            .collect();
        yield_now();
        let dump = dump();
        assert_eq!(dump.deadlocks(), std::slice::from_ref(&ids));
        assert_eq!(dump.fiber(ids[0]).expect("listed").reason(), Some(Reason::Join(ids[1])));
        assert_eq!(
            ids.iter().filter_map(|&id| dump.fiber(id)?.waits_for()).collect::<Vec<_>>(),
            [ids[1], ids[2], ids[0]]
        );
        let text = dump.to_string();
        let report =
            format!("deadlock: fiber {} joins fiber {}, which joins fiber {}, which joins", ids[0], ids[1], ids[2]);
        assert!(text.contains(&report), "{text}");
        // They are leaked when the runtime's grace period is over.
    });
}
