//! A call whose predecessor does not come waits as long as its own caller does, and is then told that it has not run; those behind it wait on.

use std::time::Duration;

use fibra::rpc::limits::SESSION_HELD_MAX;
use fibra::rpc::{Limits, Server};

use crate::support::ledger::{serve, serve_with};
use crate::support::on_one_worker;
use crate::support::raw::{self, FAILURE, REPLY, Raw, Session, write, write_within};

const EXPIRED: u8 = 5;
const OVERLOADED: u8 = 6;

#[test]
fn each_with_its_own() {
    on_one_worker(|| {
        let (server, book) = serve();
        let mut raw = Raw::connect(server.local_addr());
        raw.send(&write(5));
        raw.send(&write_within(3, Duration::from_millis(800)));
        raw.send(&write_within(4, Duration::from_millis(40)));
        let sent_at = fibra::clock::now();
        for n in [4, 3] {
            let (kind, xid, body) = raw.receive().expect("an answer");
            assert_eq!((kind, xid, body[0]), (FAILURE, n, EXPIRED));
        }
        assert!(sent_at.elapsed() >= Duration::from_millis(700), "it is held nearly that long");
        // They have their answers: a copy gets the same.
        raw.send(&write(4));
        let (kind, xid, body) = raw.receive().expect("an answer");
        assert_eq!((kind, xid, body[0]), (FAILURE, 4, EXPIRED));

        raw.send(&write(1));
        raw.send(&write(2));
        for n in [1, 2, 5] {
            assert_eq!(raw.receive(), Some((REPLY, n, vec![n as u8])));
        }
        assert_eq!(book.entries(), [1, 2, 5]);
    });
}

#[test]
fn and_so_many_wait_but_no_more() {
    on_one_worker(|| {
        let mut limits = Limits::default();
        limits.window = 4 * SESSION_HELD_MAX;
        let (server, book) = serve_with(Server::builder().limits(limits));
        let mut raw = Raw::connect_only(server.local_addr());
        raw.open(&Session { window: u16::MAX, ..Session::default() });
        // All behind the first, which does not come yet.
        let late = |n: u16| {
            let call = raw::call(n.into(), Duration::from_secs(10), "ledger.write", &[0x91, 7]);
            raw::behind(raw::in_lane(call, n - 1), n - 1)
        };
        let many = u16::try_from(SESSION_HELD_MAX).expect("so few");
        let calls: Vec<u8> = (2..many + 7).flat_map(late).collect();
        raw.send(&calls);
        for n in many + 2..many + 7 {
            let (kind, xid, body) = raw.receive().expect("an answer");
            assert_eq!((kind, xid, body[0]), (FAILURE, n.into(), OVERLOADED));
        }
        raw.send(&write(1));
        for n in 1..many + 2 {
            let (kind, xid, _) = raw.receive().expect("an answer");
            assert_eq!((kind, xid), (REPLY, n.into()));
        }
        assert_eq!(book.entries().len(), SESSION_HELD_MAX + 1);
    });
}
