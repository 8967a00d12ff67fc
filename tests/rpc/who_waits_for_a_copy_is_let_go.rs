//! Copies of a call that runs wait for its end, but not for ever: an acknowledgement says that nobody wants the answer any more.

use std::time::Duration;

use fibra::rpc::Server;

use crate::support::raw::{self, FAILURE, REPLY, Raw};
use crate::support::{on_one_worker, on_two_workers, serve, serve_with, wait_until};

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

/// The session knows of an end before its connection goes on to a call that holds it up, though that is none of the session's.
#[test]
fn a_copy_of_what_has_ended_does_not_wait_for_what_runs_now() {
    let (server, counter) = serve_with(Server::builder().thread_per_connection());
    on_one_worker(|| {
        let session = raw::Session::default();
        let mut first = Raw::connect_only(server.local_addr());
        let opened = first.open(&session);
        let mut pass = raw::call(1 << 63, Duration::from_secs(10), "desk.pass", &[0x90]);
        // One-way.
        pass[5] |= 1;
        first.send(&[raw::add(1, 3, 5), pass].concat());
        counter.turnstile.wait_for(1);

        let mut second = Raw::connect_only(server.local_addr());
        assert!(second.open(&raw::Session { server: opened.server, ..session }).resumed);
        second.send(&raw::call(1, Duration::from_secs(5), "desk.add", &[0x92, 3, 5]));
        assert_eq!(second.receive(), Some((REPLY, 1, vec![8])));
        counter.turnstile.open();
        assert_eq!(first.receive(), Some((REPLY, 1, vec![8])));
    });
    server.shutdown();
}
