//! Frames that bring nothing forward are allowed as often as calls give reason for them; a flood of them closes its connection, with a reason
//! in the log and on the wire, and no other.

use std::io::Write;

use fibra::rpc::limits::GLITCHES_MAX;

use crate::support::raw::{self, CANCEL, CREDIT, GOAWAY, REPLY, Raw};
use crate::support::{connect, log, on_one_worker, serve};

const MANY: usize = 1_000_000;

/// A million times `frame`, behind one call that was answered.
fn is_closed_for(frame: &[u8]) {
    let (peer, log) = log::capture(|| {
        on_one_worker(|| {
            let (server, _) = serve();
            let good = connect(&server);
            let mut bad = Raw::connect(server.local_addr());
            bad.send(&raw::add(1, 3, 5));
            assert_eq!(bad.receive(), Some((REPLY, 1, vec![8])));

            let flood = frame.repeat(1000);
            let mut stream = bad.stream.try_clone().expect("shared");
            let flooding =
                fibra::spawn(move || (0..MANY / 1000).take_while(|_| stream.write_all(&flood).is_ok()).count());
            // Repeated calls are answered, until it is too much; the last words may be lost where much is unread.
            let mut answers = 0;
            while let Some((kind, _, body)) = receive(&mut bad) {
                answers += 1;
                assert!(kind != GOAWAY || String::from_utf8_lossy(&body).contains("bring nothing forward"), "{body:?}");
            }
            assert!(answers <= GLITCHES_MAX as usize + 512 + 64, "{answers} answers");
            assert!(crate::support::join(flooding) < MANY / 1000, "it was heard to its end");
            assert_eq!(good.add(1, 2).expect("the other goes on"), 3);
            bad.stream.local_addr().expect("it was bound")
        })
    });
    let is_told = |line: &&String| line.contains("bring nothing forward") && line.contains(&peer.to_string());
    assert_eq!(log.iter().filter(is_told).count(), 1, "{log:?}");
}

/// As [`Raw::receive`], of a connection that may be reset at any byte.
fn receive(raw: &mut Raw) -> Option<(u8, u64, Vec<u8>)> {
    let mut bytes = [0; 16];
    let mut read = |bytes: &mut [u8]| std::io::Read::read_exact(&mut raw.stream, bytes).ok();
    read(&mut bytes)?;
    let len = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let mut body = vec![0; len as usize];
    read(&mut body)?;
    Some((bytes[4], 0, body))
}

#[test]
fn of_cancels() {
    is_closed_for(&raw::frame(CANCEL, 7, &[]));
}

#[test]
fn of_cancels_of_one_call_that_ended() {
    is_closed_for(&raw::frame(CANCEL, 1, &[]));
}

#[test]
fn of_the_same_call() {
    is_closed_for(&raw::add(1, 3, 5));
}

#[test]
fn of_calls_that_cannot_be() {
    is_closed_for(&raw::add(1 << 60, 3, 5));
}

#[test]
fn of_credit_for_what_is_over() {
    is_closed_for(&raw::frame(CREDIT, 1, &256_u32.to_be_bytes()));
}

#[test]
fn a_cancel_for_each_call_is_none() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut raw = Raw::connect(server.local_addr());
        for round in 0..20_u64 {
            let calls = 1 + round * 200..1 + (round + 1) * 200;
            for xid in calls.clone() {
                raw.send(&raw::behind(raw::add(xid, 3, 5), u16::try_from((xid - 1) % 200).expect("few")));
            }
            // Behind the answers, so that they are of no use.
            for xid in calls.clone() {
                assert_eq!(raw.receive(), Some((REPLY, xid, vec![8])));
            }
            for xid in calls {
                raw.send(&raw::frame(CANCEL, xid, &[]));
            }
        }
        raw.send(&raw::add(4_001, 3, 5));
        assert_eq!(raw.receive(), Some((REPLY, 4_001, vec![8])), "not closed");
    });
}
