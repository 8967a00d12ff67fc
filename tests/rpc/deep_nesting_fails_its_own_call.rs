//! Arguments that nest too deep, or are no MessagePack, fail their call; no stack overflows, and the connection goes on.

use std::time::Duration;

use crate::support::raw::{self, FAILURE, REPLY, Raw};
use crate::support::{on_one_worker, serve};

const BAD_ARGUMENTS: u8 = 4;

fn is_refused_for(args: &[u8], reason: &str) {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut raw = Raw::connect(server.local_addr());
        raw.send(&raw::call(1, Duration::from_secs(10), "desk.echo", args));
        raw.send(&raw::add(2, 3, 5));
        let (kind, xid, body) = raw.receive().expect("a failure");
        assert_eq!((kind, xid, body[0]), (FAILURE, 1, BAD_ARGUMENTS));
        assert!(String::from_utf8_lossy(&body).contains(reason), "{}", String::from_utf8_lossy(&body));
        assert_eq!(raw.receive(), Some((REPLY, 2, vec![8])));
    });
}

#[test]
fn four_megabytes_of_opening_brackets() {
    is_refused_for(&vec![0x91; 4_000_000], "nests deeper than 32");
}

#[test]
fn a_count_of_four_billion() {
    is_refused_for(&[0x91, 0xdd, 0xff, 0xff, 0xff, 0xff], "cut short");
}

#[test]
fn bytes_behind_the_arguments() {
    is_refused_for(&[0x91, 0xa0, 0xc0], "bytes follow");
}

#[test]
fn another_number_of_arguments() {
    is_refused_for(&[0x92, 0xa0, 0xc0], "takes 1 arguments, not 2");
}

#[test]
fn arguments_of_another_type() {
    is_refused_for(&[0x91, 0xc3], "invalid type");
}
