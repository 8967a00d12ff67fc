//! Copies of a call that runs wait for its end, but not for ever: an acknowledgement says that nobody wants the answer any more.

use std::time::Duration;

use crate::support::raw::{self, FAILURE, REPLY, Raw};
use crate::support::{on_two_workers, serve, wait_until};

#[test]
fn an_acknowledged_copy_is_answered_though_the_run_goes_on() {
    on_two_workers(|| {
        let (server, counter) = serve();
        let mut raw = Raw::connect(server.local_addr());
        let pass = raw::call(1, Duration::from_micros(u64::MAX), "desk.pass", &[0x90]);
        raw.send(&pass);
        counter.turnstile.wait_for(1);
        raw.send(&pass);
        // The first call it makes after it has given up xid 1.
        raw.send(&raw::add(2, 3, 5));
        let mut answers = [raw.receive().expect("an answer"), raw.receive().expect("another")];
        answers.sort();
        assert_eq!(answers[0], (REPLY, 2, vec![8]));
        assert_eq!((answers[1].0, answers[1].1, answers[1].2[0]), (FAILURE, 1, 9), "stale");

        counter.turnstile.open();
        drop(raw);
        wait_until(|| server.connections() == 0);
    });
}

#[test]
fn copies_whose_time_is_up_leave_nothing() {
    on_two_workers(|| {
        let (server, counter) = serve();
        let mut raw = Raw::connect(server.local_addr());
        raw.send(&raw::call(1, Duration::from_secs(10), "desk.pass", &[0x90]));
        counter.turnstile.wait_for(1);
        for _ in 0..1000 {
            raw.send(&raw::call(1, Duration::ZERO, "desk.pass", &[0x90]));
            let (kind, xid, body) = raw.receive().expect("a failure");
            assert_eq!((kind, xid, body[0]), (FAILURE, 1, 15), "in progress: maybe");
        }
        counter.turnstile.open();
        assert_eq!(raw.receive(), Some((REPLY, 1, vec![0xc0])));
        assert_eq!(counter.turnstile.entered(), 1);
    });
}
