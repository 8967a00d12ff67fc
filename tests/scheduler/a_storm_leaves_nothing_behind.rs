use std::process::Command;

use process::Process;

#[path = "../../examples/storm/process.rs"]
mod process;
#[path = "../../examples/storm/wave.rs"]
mod wave;

const CHILD: &str = "FIBRA_TEST_STORM";

/// A small one of what `examples/storm` does with a million. In a process of its own: other tests take memory and descriptors, too.
#[test]
fn a_storm_leaves_nothing_behind() {
    if std::env::var_os(CHILD).is_some() {
        return storm();
    }
    let output = Command::new(std::env::current_exe().expect("own path"))
        .args(["a_storm_leaves_nothing_behind::a_storm_leaves_nothing_behind", "--exact", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("start the child");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn storm() {
    wave::hush();
    wave::storm(2_000, 2_000, drop).expect("a runtime");
    let before = Process::now().expect("/proc");
    let ends = wave::storm(20_000, 2_000, drop).expect("a runtime");
    assert_eq!(ends.total(), 20_000);
    let leaked = Process::now().expect("/proc").leaked_since(&before);
    assert_eq!(leaked, None, "before: {before}");
}
