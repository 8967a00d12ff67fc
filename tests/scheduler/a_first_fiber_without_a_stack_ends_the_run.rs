use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use fibra_scheduler::{driver, runtime};

#[test]
fn a_first_fiber_without_a_stack_ends_the_run() {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let builder = runtime::Builder::new(driver::idle).workers(2).stack_size(usize::MAX / 2);
        let _ = sender.send(builder.run(|| ()).map_err(|error| error.kind()));
    });
    let ended = receiver.recv_timeout(Duration::from_secs(30)).expect("it must not wait for a fiber that never ran");
    assert_eq!(ended, Err(std::io::ErrorKind::OutOfMemory));
}
