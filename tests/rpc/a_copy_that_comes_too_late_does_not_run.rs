//! A held call of which there are two copies runs once, by one of them; if that one goes before it has run it, the other does, unless nobody waits any
//! more by then.

use std::time::Duration;

use fibra::rpc::{Limits, Server};

use crate::support::ledger::serve_with;
use crate::support::raw::{self, FAILURE, REPLY, Raw, Session, write_slowly, write_within};
use crate::support::{Counter, DeskServer, on_one_worker, wait_until};

/// So many replies of this size no socket takes.
const REPLIES: u8 = 8;
const REPLY_BYTES: u32 = 3 << 20;

const EXPIRED: u8 = 5;

/// Calls from that one on whose replies nobody reads: their connection does nothing more.
fn large(first: u8) -> Vec<u8> {
    let count = [&[0x91, 0xce][..], &REPLY_BYTES.to_be_bytes()].concat();
    let call = |xid: u8| {
        raw::behind(raw::call(xid.into(), Duration::from_secs(60), "desk.blanks", &count), u16::from(xid) - 1)
    };
    (first..first + REPLIES).flat_map(call).collect()
}

fn buffered(server: &Server) -> usize {
    let text = server.metrics();
    let line = text.lines().find_map(|line| line.strip_prefix("fibra_rpc_buffered_bytes "));
    line.map_or(0, |value| value.parse().expect("a number"))
}

#[test]
fn in_place_of_one_that_was_let_go() {
    on_one_worker(|| {
        let mut limits = Limits::default();
        limits.buffered_bytes = 1;
        let builder = Server::builder().limits(limits).metrics().service(DeskServer::new(Counter::default()));
        let (server, book) = serve_with(builder);
        let connect = || {
            let mut raw = Raw::connect_only(server.local_addr());
            raw.open(&Session::default());
            raw
        };
        let [mut one, mut other, mut third] = [connect(), connect(), connect()];
        let timeout = Duration::from_millis(50);
        let fill = |raw: &mut Raw, calls: Vec<u8>| {
            let before = buffered(&server);
            raw.send(&calls);
            wait_until(|| buffered(&server) > before);
            // It has got as far as it can.
            (0..100).for_each(|_| fibra::yield_now());
        };
        fill(&mut one, [write_within(2, timeout), large(3)].concat());
        // The last copy is the one that is to run.
        fill(&mut other, [write_within(2, Duration::from_secs(60)), large(3 + REPLIES)].concat());
        third.send(&write_slowly(1));
        book.turnstile.wait_for(1);
        book.turnstile.open();
        assert_eq!(third.receive(), Some((REPLY, 1, vec![1])));
        drop(other);
        wait_until(|| server.connections() == 2);
        fibra::sleep(timeout).expect("nothing cancels");

        let answer = loop {
            match one.receive().expect("an answer to each call") {
                (kind, 2, body) => break (kind, body[0]),
                (kind, _, body) => assert_eq!((kind, body.len()), (REPLY, REPLY_BYTES as usize + 5)),
            }
        };
        assert_eq!(answer, (FAILURE, EXPIRED));
        assert_eq!(book.entries(), [1]);
    });
}
