use fibra_fiber::{Context, Stack, StackPool, suspend};

/// Resident memory of this process in KiB.
fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc/self/status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

/// Touches 32 KiB of stack, then waits there.
fn deep() {
    let mut touched = [1u8; 32 << 10];
    std::hint::black_box(&mut touched);
    suspend();
}

#[test]
fn memory_goes_back_after_a_burst() {
    const BURST: usize = 2000;
    let mut pool = StackPool::new();
    let before = resident_kib();
    let mut contexts: Vec<Context> =
        (0..BURST).map(|_| Context::new(pool.take(64 << 10).expect("a stack"), deep)).collect();
    contexts.iter_mut().for_each(|context| drop(context.resume()));
    let during = resident_kib();
    assert!(during - before > BURST * 32 * 9 / 10, "{before} -> {during} KiB");

    contexts.iter_mut().for_each(|context| drop(context.resume()));
    contexts.into_iter().map(Context::into_stack).for_each(|stack| pool.give(stack));
    assert_eq!(pool.idle(), BURST);
    pool.trim(10);
    assert_eq!(pool.idle(), 10);
    let after = resident_kib();
    // Other tests of this process run meanwhile, so not to the last page.
    assert!(after - before.min(after) < (during - before) / 4, "{before} -> {during} -> {after} KiB");

    // What was given back can be taken again.
    let again: Vec<Stack> = (0..BURST).map(|_| pool.take(64 << 10).expect("a stack")).collect();
    assert_eq!(again.len(), BURST);
}
