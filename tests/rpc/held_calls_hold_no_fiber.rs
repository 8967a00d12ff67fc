//! A call that waits for its turn in a lane is its bytes and a few words: no fiber, and so no stack.

use crate::support::ledger::serve;
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
