//! Calls of a lane run one at a time, in their order, however they come: those that come too early wait, and other calls do not wait for them.

use std::time::Duration;

use fibra::rpc::Server;

use crate::support::ledger::{serve, serve_with};
use crate::support::raw::{self, FAILURE, REPLY, Raw, Session, write, write_slowly};
use crate::support::{on_one_worker, on_two_workers};

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
