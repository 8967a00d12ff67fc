//! An xid from the future, one that was acknowledged, one of another call: each is a failure of that call, and the connection goes on.

use std::time::Duration;

use crate::support::raw::{self, FAILURE, REPLY, Raw};
use crate::support::{on_one_worker, serve};

fn code(raw: &mut Raw, call: &[u8]) -> u8 {
    raw.send(call);
    let (kind, _, body) = raw.receive().expect("an answer");
    assert_eq!(kind, FAILURE);
    body[0]
}

fn sum(raw: &mut Raw, call: &[u8]) {
    raw.send(call);
    assert_eq!(raw.receive().map(|(kind, _, body)| (kind, body)), Some((REPLY, vec![8])));
}

#[test]
fn and_the_connection_goes_on() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut raw = Raw::connect(server.local_addr());
        sum(&mut raw, &raw::add(1, 3, 5));
        assert_eq!(code(&mut raw, &raw::behind(raw::add(513, 3, 5), 512)), 10, "out of window");
        sum(&mut raw, &raw::behind(raw::add(512, 3, 5), 511));
        sum(&mut raw, &raw::add(1, 3, 5));

        sum(&mut raw, &raw::add(513, 3, 5));
        assert_eq!(code(&mut raw, &raw::add(512, 3, 5)), 9, "stale: the one before has acknowledged it");
    });
}

#[test]
fn another_call_under_the_same_xid() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut raw = Raw::connect(server.local_addr());
        sum(&mut raw, &raw::add(1, 3, 5));
        assert_eq!(code(&mut raw, &raw::add(1, 3, 6)), 11, "other arguments");
        let echo = raw::call(1, Duration::from_secs(10), "desk.echo", &[0x92, 3, 5]);
        assert_eq!(code(&mut raw, &echo), 11, "another method");
        sum(&mut raw, &raw::add(1, 3, 5));
    });
}

#[test]
fn a_reply_that_is_too_large_to_keep_is_not_made_again() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut raw = Raw::connect(server.local_addr());
        // 3 MiB each, of the 8 that are kept.
        let blanks = |xid| {
            let count = (3_u32 << 20).to_be_bytes();
            let args = [&[0x91, 0xce][..], &count].concat();
            raw::behind(
                raw::call(xid, Duration::from_secs(10), "desk.blanks", &args),
                u16::try_from(xid - 1).expect("few"),
            )
        };
        for xid in 1..=3 {
            raw.send(&blanks(xid));
            assert_eq!(raw.receive().map(|(kind, _, _)| kind), Some(REPLY));
        }
        raw.send(&blanks(2));
        assert_eq!(raw.receive().map(|(kind, _, _)| kind), Some(REPLY), "kept");
        assert_eq!(code(&mut raw, &blanks(3)), 13, "forgotten");
    });
}

#[test]
fn a_refusal_is_an_answer_that_stays() {
    on_one_worker(|| {
        let (server, counter) = serve();
        counter.turnstile.open();
        let mut raw = Raw::connect(server.local_addr());
        assert_eq!(code(&mut raw, &raw::call(1, Duration::ZERO, "desk.pass", &[0x90])), 5, "expired");
        let late = raw::call(1, Duration::from_secs(10), "desk.pass", &[0x90]);
        assert_eq!(code(&mut raw, &late), 5, "its client goes by that");
        assert_eq!(counter.turnstile.entered(), 0);
    });
}
