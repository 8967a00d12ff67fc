use fibra_fiber::{Context, StackPool, suspend};

fn to_another_thread<T: Send>(_: T) {}

fn main() {
    let stack = StackPool::new().take(64 << 10).unwrap();
    let mut context = Context::new(stack, suspend);
    let _ = context.resume();
    to_another_thread(context);
}
