//! `EMFILE`: `accept` says so, `incoming` waits until it has passed.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::rc::Rc;

use fibra::net::{TcpListener, TcpStream};

use crate::support::{LOOPBACK, join, on_one_worker, spawn_waiting, with_descriptors};

#[test]
fn incoming_goes_on_when_there_are_descriptors_again() -> io::Result<()> {
    let test = "accepting_outlives_running_out_of_descriptors::incoming_goes_on_when_there_are_descriptors_again";
    with_descriptors(64, test, || on_one_worker(run_out_and_recover))
}

fn run_out_and_recover() -> io::Result<()> {
    let listener = TcpListener::bind(LOOPBACK)?;
    let _client = TcpStream::connect(listener.local_addr()?)?;
    let hogs = Rc::new(RefCell::new(Vec::new()));
    let full = loop {
        match File::open("/dev/null") {
            Ok(hog) => hogs.borrow_mut().push(hog),
            Err(error) => break error,
        }
    };
    let refused = listener.accept().expect_err("a descriptor is left");
    assert_eq!(refused.raw_os_error(), full.raw_os_error());
    // The connection is there, so the loop can have parked only because it backs off.
    let server = spawn_waiting(move || listener.incoming().next().transpose());
    assert!(!server.is_finished());
    hogs.borrow_mut().clear();
    assert!(join(server)?.is_some());
    Ok(())
}
