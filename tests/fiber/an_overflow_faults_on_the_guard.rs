use fibra_fiber::{Context, GuardKind, StackPool, guard_kind};

use crate::support::{in_child, is_child};

/// Overflows by many small frames.
fn many_frames() {
    fn recurse(depth: u64) -> u64 {
        let local = std::hint::black_box([depth; 16]);
        if depth == 0 { 0 } else { recurse(depth - 1) + local[3] }
    }
    std::hint::black_box(recurse(1 << 20));
}

/// Overflows by one frame of a MiB.
fn one_frame() {
    let mut local = [1u8; 1 << 20];
    std::hint::black_box(&mut local);
}

fn overflow_with(kind: GuardKind, overflow: fn()) {
    let mut pool = StackPool::with_guard_kind(kind);
    // A neighbour below, so that only the guard can stop the overflow.
    let _below = pool.take(64 << 10).expect("a stack");
    let context = Context::new(pool.take(64 << 10).expect("a stack"), overflow);
    let _ = context.resume();
    println!("survived");
}

fn dies(name: &str, kind: GuardKind, overflow: fn()) {
    if is_child() {
        return overflow_with(kind, overflow);
    }
    let output = in_child(&format!("an_overflow_faults_on_the_guard::{name}"));
    // A signal; or, under AddressSanitizer, which catches it, its report.
    assert!(!output.status.success(), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("survived"));
}

#[test]
fn with_many_frames() {
    dies("with_many_frames", guard_kind(), many_frames);
}

#[test]
fn with_one_frame_of_a_mebibyte() {
    dies("with_one_frame_of_a_mebibyte", guard_kind(), one_frame);
}

#[test]
fn with_the_guard_of_older_kernels() {
    dies("with_the_guard_of_older_kernels", GuardKind::Protection, many_frames);
}
