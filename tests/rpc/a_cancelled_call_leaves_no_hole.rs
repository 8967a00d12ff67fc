//! A call of a lane that is cancelled before its turn does not run, and those behind it wait for it no longer.

use crate::support::ledger::serve;
use crate::support::on_one_worker;
use crate::support::raw::{self, CANCEL, FAILURE, REPLY, Raw, write, write_slowly};

#[test]
fn while_it_waits() {
    on_one_worker(|| {
        let (server, book) = serve();
        let mut raw = Raw::connect(server.local_addr());
        raw.send(&write_slowly(1));
        raw.send(&write(2));
        raw.send(&write(3));
        book.turnstile.wait_for(1);
        raw.send(&raw::frame(CANCEL, 2, &[]));
        raw.send(&raw::read(4));
        assert_eq!(raw.receive(), Some((REPLY, 4, vec![0x91, 1])), "the cancel has been read");
        // A copy is told that it has not run.
        raw.send(&write(2));
        let (kind, xid, body) = raw.receive().expect("an answer");
        assert_eq!((kind, xid, body[0]), (FAILURE, 2, 5));
        book.turnstile.open();
        assert_eq!(raw.receive(), Some((REPLY, 1, vec![1])));
        assert_eq!(raw.receive(), Some((REPLY, 3, vec![3])));
        assert_eq!(book.entries(), [1, 3]);
    });
}

/// Then the server never looks at the call itself.
#[test]
fn by_a_cancel_that_is_read_with_it() {
    on_one_worker(|| {
        let (server, book) = serve();
        let mut raw = Raw::connect(server.local_addr());
        raw.send(&[write(1), write(2), raw::frame(CANCEL, 2, &[]), write(3)].concat());
        assert_eq!(raw.receive(), Some((REPLY, 1, vec![1])));
        assert_eq!(raw.receive(), Some((REPLY, 3, vec![3])));
        assert_eq!(book.entries(), [1, 3]);
    });
}

#[test]
fn what_was_to_come_before_it_is_still_waited_for() {
    on_one_worker(|| {
        let (server, book) = serve();
        let mut raw = Raw::connect(server.local_addr());
        raw.send(&[write(2), raw::frame(CANCEL, 2, &[]), write(3), write(1)].concat());
        assert_eq!(raw.receive(), Some((REPLY, 1, vec![1])));
        assert_eq!(raw.receive(), Some((REPLY, 3, vec![3])));
        assert_eq!(book.entries(), [1, 3]);
    });
}
