//! A connection that is not read from, since its peer did not take its replies, is read from again once the peer has taken half of them, not
//! only when nothing is left: the server would have nothing to send meanwhile.

use std::io::Read;
use std::time::Duration;

use fibra::rpc::{Limits, Server};

use crate::support::raw::{self, Raw};
use crate::support::{on_one_worker, serve_with, wait_until};

/// The value of that name and those labels; 0 if there is none yet.
fn value(server: &Server, name: &str) -> usize {
    let text = server.metrics();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().expect("a number"))
}

const REPLY_BYTES: usize = 3 << 20;

#[test]
fn when_half_has_been_taken() {
    on_one_worker(|| {
        let mut limits = Limits::default();
        limits.buffered_bytes = 48 << 20;
        let (server, _) = serve_with(Server::builder().limits(limits).metrics());
        let mut raw = Raw::connect(server.local_addr());
        let count = [&[0x91, 0xce][..], &u32::try_from(REPLY_BYTES).expect("short").to_be_bytes()].concat();
        for xid in 1..=40 {
            raw.send(&raw::call(xid, Duration::from_secs(60), "desk.blanks", &count));
        }
        wait_until(|| value(&server, "fibra_rpc_buffered_bytes") >= limits.buffered_bytes);
        (0..100).for_each(|_| fibra::yield_now());
        let run = || value(&server, "fibra_rpc_calls_total{method=\"desk.blanks\",outcome=\"value\"}");
        let before = run();
        assert!((16..40).contains(&before), "{before} have run, and the others wait");

        // Sockets hold a few megabytes: less than half of what there was is left, but much.
        let mut rest = 30 << 20;
        let mut bytes = vec![0; 64 << 10];
        while rest > 0 {
            let len = bytes.len().min(rest);
            rest -= raw.stream.read(&mut bytes[..len]).expect("more is there");
        }
        let until = fibra::clock::now() + Duration::from_secs(20);
        while run() == before {
            assert!(fibra::clock::now() < until, "it is not read from");
            fibra::yield_now();
        }
        assert!(value(&server, "fibra_rpc_buffered_bytes") > 0, "not all had been written");
    });
}
