//! A cancel overtakes the calls that were read with it.

use std::time::Duration;

use crate::support::raw::{self, CANCEL, REPLY, Raw};
use crate::support::{on_one_worker, serve};

#[test]
fn a_cancel_right_behind_its_call() {
    on_one_worker(|| {
        let (server, counter) = serve();
        counter.turnstile.open();
        let mut raw = Raw::connect(server.local_addr());
        let call = raw::call(1, Duration::from_secs(10), "desk.pass", &[0x90]);
        // One write, small enough to be one read.
        raw.send(&[call, raw::frame(CANCEL, 1, b""), raw::add(2, 3, 5)].concat());
        assert_eq!(raw.receive(), Some((REPLY, 2, vec![8])));
        assert_eq!(counter.turnstile.entered(), 0);
    });
}

#[test]
fn a_cancel_of_no_call_does_no_harm() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut raw = Raw::connect(server.local_addr());
        raw.send(&raw::frame(CANCEL, 77, b""));
        raw.send(&raw::add(1, 3, 5));
        assert_eq!(raw.receive(), Some((REPLY, 1, vec![8])));
    });
}
