//! A copy of a call that runs cannot be refused: where its connection has as many calls under way as it may have, it waits until one of them has
//! ended, and gets its answer then.

use std::time::Duration;

use fibra::rpc::{Limits, Server};

use crate::support::raw::{self, REPLY, Raw, Session};
use crate::support::{on_one_worker, serve_with, wait_until};

fn is_answered(pass: &[u8]) {
    on_one_worker(|| {
        let mut limits = Limits::default();
        limits.in_flight = 1;
        let (server, counter) = serve_with(Server::builder().limits(limits).metrics());
        let session = Session::default();
        let [mut first, mut second] = [0, 1].map(|_| {
            let mut raw = Raw::connect_only(server.local_addr());
            raw.open(&session);
            raw
        });
        first.send(pass);
        counter.turnstile.wait_for(1);
        // The first copy waits for the answer, the second for the first, and the call behind it for that.
        second.send(&[pass, pass, &raw::add(2, 3, 5)].concat());
        wait_until(|| server.metrics().contains("fibra_rpc_copies_total{got=\"run_under_way\"} 1"));
        // The second has got as far as it can.
        (0..100).for_each(|_| fibra::yield_now());
        counter.turnstile.open();
        assert_eq!(first.receive(), Some((REPLY, 1, vec![0xc0])));
        for _ in 0..2 {
            assert_eq!(second.receive(), Some((REPLY, 1, vec![0xc0])));
        }
        assert_eq!(second.receive(), Some((REPLY, 2, vec![8])));
        assert_eq!(counter.turnstile.entered(), 1);
    });
}

fn pass() -> Vec<u8> {
    raw::call(1, Duration::from_secs(10), "desk.pass", &[0x90])
}

#[test]
fn of_a_plain_call() {
    is_answered(&pass());
}

#[test]
fn of_one_with_metadata() {
    is_answered(&raw::with_metadata(pass(), &[0x80]));
}
