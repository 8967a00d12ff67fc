use std::rc::Rc;

fn main() {
    let shared = Rc::new(5);
    fibra_scheduler::spawn(move || *shared);
}
