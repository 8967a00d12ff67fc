//! What waits for its turn is nobody's business but its connection's: if that is lost, the call has not run, and may come again.

use std::time::Duration;

use fibra::rpc::Server;
use fibra::rpc::server::Drained;

use crate::support::ledger::{serve, serve_with};
use crate::support::raw::{self, GOAWAY, REPLY, Raw, Session, write, write_slowly};
use crate::support::{join, on_one_worker, wait_until};

#[test]
fn by_a_reset() {
    on_one_worker(|| {
        let (server, book) = serve();
        let mut lost = Raw::connect_only(server.local_addr());
        let opened = lost.open(&Session::default());
        lost.send(&write(3));
        // A frame that cannot be closes the connection at once.
        lost.send(&raw::frame(99, 1, &[]));
        while lost.receive().is_some() {}
        wait_until(|| server.connections() == 0);

        let mut next = Raw::connect_only(server.local_addr());
        assert!(next.open(&Session { server: opened.server, ..Session::default() }).resumed);
        for n in [1, 2, 3] {
            next.send(&write(n));
            assert_eq!(next.receive(), Some((REPLY, n.into(), vec![n])));
        }
        assert_eq!(book.entries(), [1, 2, 3]);
    });
}

#[test]
fn so_that_its_session_can_end() {
    on_one_worker(|| {
        let (server, _) = serve_with(Server::builder().session_lease(Duration::from_millis(1)));
        let mut lost = Raw::connect_only(server.local_addr());
        lost.open(&Session::default());
        lost.send(&[write(3), raw::frame(99, 1, &[])].concat());
        while lost.receive().is_some() {}
        wait_until(|| server.connections() == 0);
        fibra::sleep(Duration::from_millis(2)).expect("nothing cancels");
        let mut next = Raw::connect_only(server.local_addr());
        // Its incarnation has had its session.
        next.send(&Session::default().open());
        let (kind, _, body) = next.receive().expect("an answer");
        assert_eq!((kind, body[0]), (GOAWAY, 3), "expired");
    });
}

/// A client that has said all it had to say still gets its answers; a server that drains reads no more, either.
#[test]
fn not_by_the_end_of_what_the_client_sends() {
    on_one_worker(|| {
        let (server, book) = serve();
        let mut raw = Raw::connect(server.local_addr());
        raw.send(&[write_slowly(1), write(2), write(3)].concat());
        raw.stream.shutdown(fibra::net::Shutdown::Write).expect("it is connected");
        book.turnstile.wait_for(1);
        book.turnstile.open();
        for n in 1..=3 {
            assert_eq!(raw.receive(), Some((REPLY, n, vec![n as u8])));
        }
        assert_eq!(raw.receive(), None);
    });
}

#[test]
fn not_by_a_drain() {
    on_one_worker(|| {
        let (server, book) = serve();
        let mut raw = Raw::connect(server.local_addr());
        raw.send(&[write_slowly(1), write(2), write(3)].concat());
        book.turnstile.wait_for(1);
        let draining = fibra::spawn(move || server.drain(Duration::from_secs(10)));
        assert_eq!(raw.receive().map(|(kind, ..)| kind), Some(GOAWAY));
        book.turnstile.open();
        for n in 1..=3 {
            assert_eq!(raw.receive(), Some((REPLY, n, vec![n as u8])));
        }
        drop(raw);
        assert_eq!(join(draining), Drained::Complete);
    });
}
