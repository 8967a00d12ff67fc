//! Calls of a lane run one at a time, in their order, however they come: those that come too early wait, and other calls do not wait for them.

use std::time::Duration;

use fibra::rpc::{Limits, Server};

use crate::support::ledger::{serve, serve_with};
use crate::support::raw::{self, FAILURE, REPLY, Raw, Session, write, write_slowly};
use crate::support::{Counter, DeskServer, on_one_worker, on_two_workers, wait_until};

#[test]
fn when_they_come_the_wrong_way_round() {
    on_one_worker(|| {
        let (server, book) = serve();
        let mut raw = Raw::connect(server.local_addr());
        for n in (1..=50).rev() {
            raw.send(&write(n));
        }
        for n in 1..=50 {
            assert_eq!(raw.receive(), Some((REPLY, n, vec![n as u8])));
        }
        assert_eq!(book.entries(), (1..=50).collect::<Vec<_>>());
    });
}

/// One connection brings the odd ones, the other the even ones; whose runs end on one worker and release what the other has.
#[test]
fn over_two_connections_at_once() {
    on_two_workers(|| {
        let (server, book) = serve();
        let mut connections: Vec<_> = (0..2).map(|_| Raw::connect_only(server.local_addr())).collect();
        connections.iter_mut().for_each(|raw| _ = raw.open(&Session::default()));
        for n in (1..=100).rev() {
            connections[usize::from(n % 2)].send(&write(n));
        }
        for n in 1..=100 {
            assert_eq!(connections[usize::from(n % 2)].receive(), Some((REPLY, n.into(), vec![n])));
        }
        assert_eq!(book.entries(), (1..=100).collect::<Vec<_>>());
    });
}

#[test]
fn while_one_of_them_parks() {
    on_one_worker(|| {
        let (server, book) = serve();
        let mut raw = Raw::connect(server.local_addr());
        for n in 1..=20 {
            raw.send(&write_slowly(n));
        }
        book.turnstile.wait_for(1);
        raw.send(&raw::read(21));
        assert_eq!(raw.receive(), Some((REPLY, 21, vec![0x91, 1])), "of no lane: it waits for nobody");
        book.turnstile.open();
        for n in 1..=20 {
            assert_eq!(raw.receive(), Some((REPLY, n, vec![n as u8])));
        }
        assert_eq!(book.entries(), (1..=20).collect::<Vec<_>>());
    });
}

/// Two calls are held that have nothing to do with each other; the one that is let go first takes long.
#[test]
fn and_waits_for_no_other_lane() {
    on_one_worker(|| {
        let (server, book) = serve();
        let mut raw = Raw::connect(server.local_addr());
        let in_lane = |lane, n: u8, method, gap| {
            let call = raw::call(n.into(), Duration::from_secs(10), method, &[0x90]);
            raw::behind(raw::in_lane_of(lane, call, gap), u16::from(n) - 1)
        };
        raw.send(&in_lane(1, 2, "ledger.pass", 1));
        raw.send(&in_lane(2, 4, "ledger.read", 1));
        raw.send(&in_lane(1, 1, "ledger.read", 0));
        assert_eq!(raw.receive(), Some((REPLY, 1, vec![0x90])));
        book.turnstile.wait_for(1);
        raw.send(&in_lane(2, 3, "ledger.read", 0));
        for n in [3, 4] {
            assert_eq!(raw.receive(), Some((REPLY, n, vec![0x90])), "2 has not ended");
        }
        book.turnstile.open();
        assert_eq!(raw.receive(), Some((REPLY, 2, vec![0xc0])));
    });
}

#[test]
fn where_each_connection_has_a_thread() {
    let (server, book) = serve_with(Server::builder().thread_per_connection());
    on_one_worker(|| {
        let mut connections: Vec<_> = (0..2).map(|_| Raw::connect_only(server.local_addr())).collect();
        connections.iter_mut().for_each(|raw| _ = raw.open(&Session::default()));
        connections[0].send(&write(2));
        connections[1].send(&write(1));
        assert_eq!(connections[1].receive(), Some((REPLY, 1, vec![1])));
        assert_eq!(connections[0].receive(), Some((REPLY, 2, vec![2])));
    });
    assert_eq!(book.entries(), [1, 2]);
}

/// Whoever names an earlier call says that it does not wait for those between. Should one of them come nevertheless, it is too late.
#[test]
fn behind_what_was_given_up() {
    on_one_worker(|| {
        let (server, book) = serve();
        let mut raw = Raw::connect(server.local_addr());
        raw.send(&write(1));
        let fourth = raw::call(4, Duration::from_secs(10), "ledger.write", &[0x91, 4]);
        raw.send(&raw::behind(raw::in_lane(fourth, 3), 3));
        assert_eq!(raw.receive(), Some((REPLY, 1, vec![1])));
        assert_eq!(raw.receive(), Some((REPLY, 4, vec![4])));
        raw.send(&write(2));
        let (kind, xid, body) = raw.receive().expect("an answer");
        assert_eq!((kind, xid, body[0]), (FAILURE, 2, 19), "overtaken");
        assert_eq!(book.entries(), [1, 4]);
    });
}

#[test]
fn and_all_copies_that_wait_are_answered() {
    on_two_workers(|| {
        let (server, book) = serve();
        let mut connections: Vec<_> = (0..2).map(|_| Raw::connect_only(server.local_addr())).collect();
        connections.iter_mut().for_each(|raw| _ = raw.open(&Session::default()));
        connections[0].send(&write(2));
        // Behind it, so that it has come.
        connections[0].send(&raw::read(3));
        assert_eq!(connections[0].receive(), Some((REPLY, 3, vec![0x90])));
        connections[1].send(&write(2));
        connections[1].send(&raw::read(3));
        assert_eq!(connections[1].receive(), Some((REPLY, 3, vec![0x90])));
        connections[0].send(&write(1));
        assert_eq!(connections[0].receive(), Some((REPLY, 1, vec![1])));
        assert_eq!(connections[0].receive(), Some((REPLY, 2, vec![2])));
        assert_eq!(connections[1].receive(), Some((REPLY, 2, vec![2])));
        assert_eq!(book.entries(), [1, 2]);
    });
}

/// A call is let go for one behind it, which is then not run, since its connection is lost: before the first one's connection has had a turn. Nobody
/// takes the lane for one that runs.
#[test]
fn behind_one_that_was_let_go_for_nothing() {
    on_one_worker(|| {
        let mut limits = Limits::default();
        limits.buffered_bytes = 1;
        let (server, book) = serve_with(Server::builder().limits(limits).service(DeskServer::new(Counter::default())));
        let connect = || {
            let mut raw = Raw::connect_only(server.local_addr());
            raw.open(&Session::default());
            raw
        };
        let buffered = || {
            let metrics = server.metrics();
            let line = metrics.lines().find_map(|line| line.strip_prefix("fibra_rpc_buffered_bytes "));
            line.and_then(|bytes| bytes.parse::<usize>().ok()).expect("it is there")
        };
        let fourth = || {
            let call = raw::call(4, Duration::from_secs(10), "ledger.write", &[0x91, 4]);
            raw::behind(raw::in_lane(call, 3), 3)
        };
        // More than sockets hold, so that a connection which is not read is not served.
        let blanks = |n: u64| {
            let mut call =
                raw::call((1 << 63) + n, Duration::from_secs(60), "desk.blanks", &[0x91, 0xce, 0, 0x30, 0, 0]);
            call[5] = 0x02;
            call
        };
        let mut first = connect();
        first.send(&write_slowly(1));
        book.turnstile.wait_for(1);
        let mut third = connect();
        let mut fourths = connect();
        for (raw, call) in [(&mut third, write(3)), (&mut fourths, fourth())] {
            let before = buffered();
            raw.send(&[call, (0..8).flat_map(blanks).collect()].concat());
            wait_until(|| buffered() > before);
        }
        book.turnstile.open();
        assert_eq!(first.receive(), Some((REPLY, 1, vec![1])));
        // Reset, since there is something unread.
        drop(fourths);
        wait_until(|| server.connections() == 2);
        let mut answered: Vec<_> = (0..9)
            .map(|_| {
                let (kind, xid, _) = third.receive().expect("an answer");
                assert_eq!(kind, REPLY);
                xid
            })
            .collect();
        answered.sort_unstable();
        assert_eq!(answered, [3].into_iter().chain((1 << 63)..(1 << 63) + 8).collect::<Vec<_>>());
        first.send(&fourth());
        assert_eq!(first.receive(), Some((REPLY, 4, vec![4])));
        assert_eq!(book.entries(), [1, 3, 4]);
    });
}
