//! A call that waits for its turn in a lane is its bytes and a few words: no fiber, and so no stack.

use fibra::net::Shutdown;
use fibra::rpc::Server;

use crate::support::ledger::{serve, serve_with};
use crate::support::on_one_worker;
use crate::support::raw::{self, REPLY, Raw, write, write_slowly};

#[test]
fn however_many_there_are() {
    on_one_worker(|| {
        let (server, book) = serve();
        let mut raw = Raw::connect(server.local_addr());
        raw.send(&write_slowly(1));
        book.turnstile.wait_for(1);
        let before = fibra::counters().live;
        for n in 2..=120 {
            raw.send(&write(n));
        }
        raw.send(&raw::read(121));
        assert_eq!(raw.receive(), Some((REPLY, 121, vec![0x91, 1])), "all before it have been read");
        assert_eq!(fibra::counters().live, before);
        book.turnstile.open();
        for n in 1..=120_u8 {
            assert_eq!(raw.receive(), Some((REPLY, n.into(), vec![n])));
        }
    });
}

/// Nor does a client that sends no more keep the buffer in which its bytes were read.
#[test]
fn and_no_buffer_behind_the_end_of_what_is_sent() {
    on_one_worker(|| {
        let (server, book) = serve_with(Server::builder().metrics());
        let mut raw = Raw::connect(server.local_addr());
        raw.send(&[write_slowly(1), write(2)].concat());
        book.turnstile.wait_for(1);
        raw.stream.shutdown(Shutdown::Write).expect("it is connected");
        // Who comes later is served later.
        let mut next = Raw::connect(server.local_addr());
        next.send(&raw::read(1));
        assert_eq!(next.receive(), Some((REPLY, 1, vec![0x91, 1])));
        let metrics = server.metrics();
        assert!(metrics.contains("\nfibra_rpc_buffered_bytes 0\n"), "{metrics}");
        book.turnstile.open();
        for n in 1..=2 {
            assert_eq!(raw.receive(), Some((REPLY, n, vec![n as u8])));
        }
        assert_eq!(raw.receive(), None);
    });
}
