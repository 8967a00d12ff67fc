//! A thread that makes one seeded run after the other maps and touches memory for the first, not again for each.

use std::fs;
use std::hint::black_box;

use fibra_scheduler::{driver, runtime, scope, yield_now};

/// The fibers of a run, and how much stack each uses.
const FIBERS: usize = 100;
const BYTES: usize = 40 << 10;

/// How often this thread has touched a page that was not there, so far.
fn page_faults() -> u64 {
    let stat = fs::read_to_string("/proc/thread-self/stat").expect("Linux has it");
    let behind_name = stat.rsplit_once(')').expect("the name is in parentheses").1;
    behind_name.split_whitespace().nth(7).expect("minflt is the tenth field").parse().expect("a number")
}

#[inline(never)]
fn go_deep() {
    let mut bytes = [0_u8; BYTES];
    black_box(&mut bytes).fill(1);
    // So that all are under way at once.
    (0..20).for_each(|_| yield_now());
    black_box(&bytes);
}

fn run(seed: u64) -> u64 {
    let run = runtime::Builder::new(driver::idle).sample_stacks(None).seed(seed).run_traced(|| {
        scope(|scope| {
            (0..FIBERS).for_each(|_| drop(scope.spawn(go_deep)));
        });
    });
    run.expect("no deadlock").1.hash()
}

#[test]
fn and_takes_the_same_course() {
    let before = page_faults();
    let first = run(7);
    let of_first = page_faults() - before;
    assert!(of_first as usize > FIBERS * BYTES / 2 / 4096, "{of_first}");
    for _ in 0..10 {
        let before = page_faults();
        assert_eq!(run(7), first);
        let again = page_faults() - before;
        assert!(again < of_first / 10, "{again}, the first time {of_first}");
    }
}
