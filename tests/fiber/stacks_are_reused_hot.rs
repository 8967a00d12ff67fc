use fibra_fiber::{MIN_USABLE_STACK_SIZE, StackPool, guard_size};

#[test]
fn the_stack_given_last_is_taken_first() {
    let mut pool = StackPool::new();
    let (first, second) = (pool.take(64 << 10).expect("a stack"), pool.take(64 << 10).expect("a stack"));
    let name = format!("{second:?}");
    pool.give(first);
    pool.give(second);
    assert_eq!(format!("{:?}", pool.take(64 << 10).expect("a stack")), name);
}

#[test]
fn sizes_are_kept_apart() {
    let mut pool = StackPool::new();
    let small = pool.take(64 << 10).expect("a stack");
    pool.give(small);
    assert_eq!(pool.take(128 << 10).expect("a stack").size(), 128 << 10);
    assert_eq!(pool.idle(), 1);
}

#[test]
fn a_size_is_rounded_up_to_what_can_run() {
    let mut pool = StackPool::new();
    assert_eq!(pool.take(1).expect("a stack").size(), MIN_USABLE_STACK_SIZE);
    assert!(pool.take(100_001).expect("a stack").size() >= 100_001);
    assert!(guard_size() >= 16 << 10);
}

#[test]
fn an_absurd_size_is_an_error() {
    assert!(StackPool::new().take(usize::MAX).is_err());
    assert!(StackPool::new().take(usize::MAX / 4).is_err());
}
