//! Who is told why its connection is closed gets what the server has written, though it has sent more that the server did not read: no reset comes
//! between.

use std::io::{Read, Write};
use std::time::Duration;

use fibra::rpc::limits::FAREWELL_TIME_MAX;

use crate::support::raw::{self, GOAWAY, PREFACE, REPLY, Raw, Session};
use crate::support::{on_one_worker, serve, serve_with, wait_until};

/// What is not the protocol, and more of it than is read at once.
fn garbage() -> Vec<u8> {
    vec![0xff; 300 << 10]
}

/// A reply that does not fit into the receiver's socket.
const REPLY_BYTES: u32 = 400 << 10;

fn large_call() -> Vec<u8> {
    raw::call(1, Duration::from_secs(60), "desk.blanks", &[&[0x91, 0xce][..], &REPLY_BYTES.to_be_bytes()].concat())
}

/// The reply to that call, the goaway, and the end.
fn receives_all(raw: &mut Raw) {
    let (kind, xid, body) = raw.receive().expect("a reply");
    assert_eq!((kind, xid, body.len()), (REPLY, 1, REPLY_BYTES as usize + 5));
    let (kind, _, body) = raw.receive().expect("last words");
    assert_eq!((kind, body[0]), (GOAWAY, 1));
    assert_eq!(raw.stream.read(&mut [0; 16]).expect("it was not reset"), 0);
}

#[test]
fn to_one_that_reads_when_the_server_has_closed() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut raw = Raw::connect(server.local_addr());
        raw.send(&[large_call(), garbage()].concat());
        let start = fibra::clock::now();
        wait_until(|| server.connections() == 0);
        assert!(start.elapsed() < FAREWELL_TIME_MAX * 10, "it was closed after {:?}", start.elapsed());
        receives_all(&mut raw);
    });
}

#[test]
fn by_a_thread_too() {
    let (server, _) = serve_with(fibra::rpc::Server::builder().thread_per_connection());
    on_one_worker(|| {
        let mut raw = Raw::connect(server.local_addr());
        raw.send(&[large_call(), garbage()].concat());
        wait_until(|| server.connections() == 0);
        receives_all(&mut raw);
    });
}

#[test]
fn to_one_that_was_not_let_in() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut first = Raw::connect_only(server.local_addr());
        assert!(!first.open(&Session::default()).resumed);

        let thief = Session { secret: b"another".to_vec(), ..Session::default() };
        let mut raw = Raw::connect_silently(server.local_addr());
        raw.send(&[&PREFACE[..], &thief.open(), &raw::add(1, 3, 5)].concat());
        raw.stream.read_exact(&mut [0; 8]).expect("a preface");
        let (kind, _, body) = raw.receive().expect("last words");
        assert_eq!((kind, body[0]), (GOAWAY, 2));
        assert_eq!(raw.stream.read(&mut [0; 16]).expect("it was not reset"), 0);

        let mut newer = Raw::connect_silently(server.local_addr());
        newer.send(&[&b"\xC1fibra\x09\x00"[..], &Session::default().open()].concat());
        newer.stream.read_exact(&mut [0; 8]).expect("a preface");
        assert_eq!(newer.stream.read(&mut [0; 16]).expect("it was not reset"), 0);
    });
}

#[test]
fn who_goes_on_sending_is_reset() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut raw = Raw::connect(server.local_addr());
        let garbage = garbage();
        let sent = (0..1000).take_while(|_| raw.stream.write_all(&garbage).is_ok()).count();
        assert!(sent < 1000, "all of 300 MB was heard");
    });
}
