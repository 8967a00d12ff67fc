use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use fibra_scheduler::{driver, runtime, sleep};

/// Whoever looks up the names of a backtrace holds a lock of the backtrace crate, for seconds in a large program.
#[test]
fn a_dump_waits_for_no_lookup_of_names() {
    let runtime = runtime::Builder::new(driver::idle).workers(1).start().expect("a runtime");
    let (started, has_started) = mpsc::channel();
    let fiber = runtime
        .spawn(move || {
            started.send(()).expect("the receiver waits");
            sleep(Duration::from_secs(1 << 40))
        })
        .expect("room");
    has_started.recv().expect("sent");
    let (looking, is_looking) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let lookup = thread::spawn(move || {
        let address = a_dump_waits_for_no_lookup_of_names as fn() as usize + 1;
        backtrace::resolve(std::ptr::without_provenance_mut(address), |_| {
            looking.send(()).expect("the receiver waits");
            let _ = released.recv();
        });
    });
    is_looking.recv().expect("the program has symbols");
    let dump = runtime.dump();
    drop(release);
    lookup.join().expect("no panic");
    assert!(dump.silent.is_empty(), "a worker waited for the lookup");
    assert!(!dump.fiber(fiber.id()).expect("listed").backtrace.addresses().is_empty());
    fiber.cancel();
}
