//! A session goes on on a second connection while the first is there, and a call on both runs once.

use std::time::Duration;

use crate::support::raw::{self, REPLY, Raw, Session};
use crate::support::{on_two_workers, serve};

#[test]
fn a_call_in_progress_is_answered_on_both() {
    on_two_workers(|| {
        let (server, counter) = serve();
        let mut first = Raw::connect_only(server.local_addr());
        let opened = first.open(&Session::default());
        assert!(!opened.resumed);
        let pass = raw::call(1, Duration::from_secs(10), "desk.pass", &[0x90]);
        first.send(&pass);
        counter.turnstile.wait_for(1);

        let mut second = Raw::connect_only(server.local_addr());
        let resumed = second.open(&Session { server: opened.server, ..Session::default() });
        assert!(resumed.resumed);
        assert_eq!((resumed.server, resumed.window), (opened.server, opened.window));
        second.send(&pass);
        second.send(&raw::behind(raw::add(2, 3, 5), 1));
        assert_eq!(second.receive(), Some((REPLY, 2, vec![8])), "what waits stalls no other call");

        counter.turnstile.open();
        assert_eq!(first.receive(), Some((REPLY, 1, vec![0xc0])));
        assert_eq!(second.receive(), Some((REPLY, 1, vec![0xc0])));
        first.send(&pass);
        assert_eq!(first.receive(), Some((REPLY, 1, vec![0xc0])), "and as often as it is asked for");
        assert_eq!(counter.turnstile.entered(), 1);
    });
}

#[test]
fn its_time_is_up_while_the_call_runs() {
    on_two_workers(|| {
        let (server, counter) = serve();
        let mut first = Raw::connect_only(server.local_addr());
        first.open(&Session::default());
        first.send(&raw::call(1, Duration::from_secs(10), "desk.pass", &[0x90]));
        counter.turnstile.wait_for(1);
        let mut second = Raw::connect_only(server.local_addr());
        second.open(&Session::default());
        second.send(&raw::call(1, Duration::from_millis(20), "desk.pass", &[0x90]));
        let (kind, xid, body) = second.receive().expect("a failure");
        assert_eq!((kind, xid, body[0]), (raw::FAILURE, 1, 15), "in progress: maybe");
        counter.turnstile.open();
        assert_eq!(first.receive(), Some((REPLY, 1, vec![0xc0])));
    });
}

#[test]
fn a_reply_outlives_the_connection_of_its_call() {
    on_two_workers(|| {
        let (server, counter) = serve();
        let mut first = Raw::connect_only(server.local_addr());
        let opened = first.open(&Session::default());
        let pass = raw::call(1, Duration::from_secs(10), "desk.pass", &[0x90]);
        first.send(&pass);
        counter.turnstile.wait_for(1);
        drop(first);
        counter.turnstile.open();

        let mut second = Raw::connect_only(server.local_addr());
        assert!(second.open(&Session { server: opened.server, ..Session::default() }).resumed);
        second.send(&pass);
        assert_eq!(second.receive(), Some((REPLY, 1, vec![0xc0])));
        assert_eq!(counter.turnstile.entered(), 1);
    });
}
