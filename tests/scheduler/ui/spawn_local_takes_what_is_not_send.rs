use std::rc::Rc;

fn main() {
    fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle)
        .run(|| {
            let shared = Rc::new(5);
            let copy = shared.clone();
            assert_eq!(fibra_scheduler::spawn_local(move || copy).join().unwrap(), shared);
        })
        .unwrap();
}
