//! A peer that opens its connection a byte at a time gets as long for all of it as for a part: it cannot hold a place for hours.

use std::io::Write;
use std::time::Duration;

use fibra::rpc::limits::PREFACE_TIMEOUT;

use crate::support::raw::{PREFACE, Raw, Session};
use crate::support::{connect, log, on_one_worker, serve};

/// Far less than the server waits for.
const BETWEEN: Duration = Duration::from_millis(100);

#[test]
fn whatever_it_sends() {
    let (peer, log) = log::capture(|| {
        on_one_worker(|| {
            let (server, _) = serve();
            let opening = [&PREFACE[..], &Session { secret: vec![7; 255], ..Session::default() }.open()].concat();
            let mut raw = Raw::connect_silently(server.local_addr());
            let peer = raw.stream.local_addr().expect("it is bound");
            let start = fibra::clock::now();
            // All of it would take half a minute.
            let sent = opening
                .iter()
                .take_while(|&byte| {
                    fibra::sleep(BETWEEN).expect("nobody cancels it");
                    raw.stream.write_all(std::slice::from_ref(byte)).is_ok()
                })
                .count();
            assert!(sent < opening.len(), "it was let in");
            assert!(start.elapsed() >= PREFACE_TIMEOUT, "after {:?}", start.elapsed());
            assert_eq!(connect(&server).add(3, 5).expect("others are served"), 8);
            peer
        })
    });
    let told = log.iter().filter(|line| line.contains("in time") && line.contains(&peer.to_string())).count();
    assert_eq!(told, 1, "{log:?}");
}
