//! What all connections together hold because their peers are slow is bounded: who sends a frame in part is closed, with a reason; who does not
//! take its replies is not read from. Who holds little goes on.

use std::io::Write;
use std::time::Duration;

use fibra::rpc::Server;

use crate::support::raw::{self, CALL, GOAWAY, REPLY, Raw};
use crate::support::{connect, log, on_one_worker, serve_with, wait_until};

const FULL: u8 = 5;

fn gauge(server: &Server) -> usize {
    let text = server.metrics();
    let line = text.lines().find_map(|line| line.strip_prefix("fibra_rpc_buffered_bytes "));
    line.expect("it is told").parse().expect("a number")
}

#[test]
fn frames_that_have_come_in_part() {
    let (peer, log) = log::capture(|| {
        on_one_worker(|| {
            let (server, _) = serve_with(Server::builder().buffered_bytes_max(128 << 10));
            let mut small = Raw::connect(server.local_addr());
            let add = raw::add(1, 3, 5);
            small.send(&add[..20]);
            wait_until(|| gauge(&server) > 0);
            let of_one = gauge(&server);

            let mut large = Raw::connect(server.local_addr());
            let header = [&(1_u32 << 20).to_be_bytes()[..], &[CALL, 0, 0, 0], &1_u64.to_be_bytes()].concat();
            let part = [header, vec![0; 300 << 10]].concat();
            // It may be closed before all of it is sent.
            let _ = large.stream.write_all(&part);
            if let Some((kind, _, body)) = large.receive() {
                assert_eq!((kind, body[0]), (GOAWAY, FULL));
            }
            assert_eq!(large.receive(), None);
            wait_until(|| gauge(&server) == of_one);

            small.send(&add[20..]);
            assert_eq!(small.receive(), Some((REPLY, 1, vec![8])));
            wait_until(|| gauge(&server) == 0);
            large.stream.local_addr().expect("it was bound")
        })
    });
    let is_told = |line: &&String| line.contains("hold more than 131072 bytes") && line.contains(&peer.to_string());
    assert_eq!(log.iter().filter(is_told).count(), 1, "{log:?}");
}

#[test]
fn replies_that_are_not_taken() {
    on_one_worker(|| {
        let (server, _) = serve_with(Server::builder().buffered_bytes_max(256 << 10));
        let mut raw = Raw::connect(server.local_addr());
        raw.stream.set_write_timeout(Some(Duration::from_millis(200))).expect("not zero");
        let payload = [&[0x91, 0xda, 0xff, 0xff][..], &vec![b'x'; 0xffff]].concat();
        let unsent = (1..=16_384).find_map(|xid| {
            let call = raw::call(xid, Duration::from_secs(60), "desk.echo", &payload);
            let mut rest = &call[..];
            while !rest.is_empty() {
                match raw.stream.write(rest) {
                    Ok(count) => rest = &rest[count..],
                    Err(_) => return Some((xid, rest.to_vec())),
                }
            }
            None
        });
        let (xid, unsent) = unsent.expect("the server stops reading");
        // A batch of replies, and what was read with it; of its own the connection might hold 8 MiB.
        let held = gauge(&server);
        assert!((256 << 10..1 << 20).contains(&held), "{held}");
        assert_eq!(connect(&server).add(3, 5).expect("others are served"), 8);

        let writer = fibra::spawn({
            let mut stream = raw.stream.try_clone().expect("shared");
            stream.set_write_timeout(None).expect("none");
            move || stream.write_all(&unsent)
        });
        for xid in 1..=xid {
            let (kind, got, _) = raw.receive().expect("a reply");
            assert_eq!((kind, got), (REPLY, xid));
        }
        crate::support::join(writer).expect("the server reads again");
        wait_until(|| gauge(&server) == 0);
    });
}
