use std::rc::Rc;

fn to_another_thread<T: Send>(_: T) {}

fn main() {
    to_another_thread(fibra_scheduler::spawn_local(|| Rc::new(5)));
}
