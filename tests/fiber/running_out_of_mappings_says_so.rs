use std::io;

use fibra_fiber::{GuardKind, StackPool};

use crate::support::{in_child, is_child};

/// With the guards of kernels before 6.13, stacks end at `vm.max_map_count`; the error must say which knob that is.
#[test]
fn running_out_of_mappings_says_so() {
    if is_child() {
        let mut pool = StackPool::with_guard_kind(GuardKind::Protection);
        let mut stacks = Vec::new();
        // Twice the cap as shipped: a machine that raised it that far passes by not failing.
        while stacks.len() < 131_072 {
            match pool.take(16 << 10) {
                Ok(stack) => stacks.push(stack),
                Err(error) => {
                    // The refused one must not have cost the others anything, and giving some back makes room again.
                    stacks.truncate(stacks.len() / 2);
                    assert!(pool.take(16 << 10).is_ok());
                    assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
                    println!("refused: {error}");
                    return;
                }
            }
        }
        println!("refused: vm.max_map_count allows them all");
        return;
    }
    let output = in_child("running_out_of_mappings_says_so::running_out_of_mappings_says_so");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(stdout.contains("refused: ") && stdout.contains("vm.max_map_count"), "{stdout}");
}
