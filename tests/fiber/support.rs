//! What several tests of this layer need.

use std::process::{Command, Output};

use fibra_fiber::{Stack, StackPool};

/// A stack from a pool of its own.
pub(crate) fn stack() -> Stack {
    StackPool::new().take(64 << 10).expect("a stack")
}

/// Set in the process that a test starts to do what may kill it.
const CHILD: &str = "FIBRA_TEST_CHILD";

/// Runs the test `name` (its full path) again in a process of its own, where [`is_child`] holds.
pub(crate) fn in_child(name: &str) -> Output {
    Command::new(std::env::current_exe().expect("own path"))
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .output()
        .expect("start the child")
}

pub(crate) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}
