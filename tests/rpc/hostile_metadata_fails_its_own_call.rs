//! Metadata that is none, is too much or has a key twice fails its call before the method runs; the connection goes on.

use crate::support::raw::{self, FAILURE, GOAWAY, REPLY, Raw};
use crate::support::{on_one_worker, serve};

const BAD_METADATA: u8 = 18;

fn is_refused_for(metadata: &[u8], reason: &str) {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut raw = Raw::connect(server.local_addr());
        raw.send(&raw::with_metadata(raw::add(1, 3, 5), metadata));
        raw.send(&raw::behind(raw::add(2, 3, 5), 1));
        let (kind, xid, body) = raw.receive().expect("a failure");
        assert_eq!((kind, xid, body[0]), (FAILURE, 1, BAD_METADATA));
        assert!(String::from_utf8_lossy(&body).contains(reason), "{}", String::from_utf8_lossy(&body));
        assert_eq!(raw.receive(), Some((REPLY, 2, vec![8])));
        // Not run is an answer, too: the same call gets it once more, whatever comes with it.
        raw.send(&raw::add(1, 3, 5));
        assert_eq!(raw.receive(), Some((kind, xid, body)));
    });
}

#[test]
fn what_is_no_map() {
    is_refused_for(&[0x91, 0xa0], "no MessagePack map");
}

#[test]
fn nothing() {
    is_refused_for(&[], "no MessagePack map");
}

#[test]
fn a_map_of_four_billion_entries() {
    is_refused_for(&[0xdf, 0xff, 0xff, 0xff, 0xff], "more than 64 entries");
}

#[test]
fn opening_brackets() {
    is_refused_for(&[[0x81, 0xa1, b'k'].as_slice(), &[0x91; 4000]].concat(), "no MessagePack map");
}

#[test]
fn more_than_eight_kibibytes() {
    is_refused_for(&[0xa0; 8 * 1024 + 1], "more than 8192 bytes");
}

#[test]
fn a_key_that_is_there_twice() {
    is_refused_for(&[0x82, 0xa1, b'k', 0xa0, 0xa1, b'k', 0xa0], "twice");
}

#[test]
fn text_that_is_no_utf_8() {
    is_refused_for(&[0x81, 0xa1, b'k', 0xa1, 0xff], "no MessagePack map");
}

/// Where the call's other fields begin is not known any more.
#[test]
fn a_length_beyond_the_frame_closes_the_connection() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut raw = Raw::connect(server.local_addr());
        let mut call = raw::with_metadata(raw::add(1, 3, 5), &[0x80]);
        call[24..26].copy_from_slice(&u16::MAX.to_be_bytes());
        raw.send(&call);
        let (kind, _, body) = raw.receive().expect("last words");
        assert_eq!((kind, body[0]), (GOAWAY, 1));
        assert!(String::from_utf8_lossy(&body).contains("shorter than its metadata"));
        assert_eq!(raw.receive(), None);
    });
}

/// A copy of a call that comes with other metadata, such as another trace, is the same call.
#[test]
fn metadata_is_no_part_of_what_a_call_does() {
    on_one_worker(|| {
        let (server, counter) = serve();
        let mut raw = Raw::connect(server.local_addr());
        counter.turnstile.open();
        let pass = raw::call(1, std::time::Duration::from_secs(10), "desk.pass", &[0x90]);
        raw.send(&raw::with_metadata(pass.clone(), &[0x81, 0xa1, b'k', 0xa1, b'1']));
        assert_eq!(raw.receive(), Some((REPLY, 1, vec![0xc0])));
        raw.send(&raw::with_metadata(pass, &[0x81, 0xa1, b'k', 0xa1, b'2']));
        assert_eq!(raw.receive(), Some((REPLY, 1, vec![0xc0])));
        assert_eq!(counter.turnstile.entered(), 1);
    });
}
