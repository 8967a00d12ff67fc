//! A server answers pings, also while handlers run; who floods it with them loses its own connection, with a logged reason.

use std::time::Duration;

use fibra::rpc::limits::{GLITCHES_MAX, GLITCHES_PER_SECOND};

use crate::support::raw::{self, CANCEL, GOAWAY, PING, PONG, REPLY, Raw};
use crate::support::{connect, log, on_one_worker, serve, wait_until};

fn ping(echo: u64) -> Vec<u8> {
    raw::frame(PING, 0, &echo.to_be_bytes())
}

#[test]
fn with_the_same_bytes() {
    on_one_worker(|| {
        let (server, counter) = serve();
        let mut raw = Raw::connect(server.local_addr());
        raw.send(&raw::call(1, Duration::from_secs(10), "desk.pass", &[0x90]));
        counter.turnstile.wait_for(1);
        for echo in [0, 7, u64::MAX] {
            raw.send(&ping(echo));
            assert_eq!(raw.receive(), Some((PONG, 0, echo.to_be_bytes().to_vec())));
        }
    });
}

#[test]
fn a_million_of_them_close_their_connection_only() {
    let ((), warnings) = log::capture(|| {
        on_one_worker(|| {
            let (server, _) = serve();
            let desk = connect(&server);
            let mut raw = Raw::connect(server.local_addr());
            let stream = raw.stream.try_clone().expect("shared");
            let sender = fibra::spawn(move || {
                let mut raw = Raw { stream, flags: 0 };
                let thousand = ping(1).repeat(1000);
                // It ends when the server has closed.
                (0..1000).all(|_| std::io::Write::write_all(&mut raw.stream, &thousand).is_ok())
            });
            let mut pongs = 0;
            let last = loop {
                match raw.receive() {
                    Some((PONG, ..)) => pongs += 1,
                    other => break other,
                }
            };
            // And a window of them, and those of a second or two.
            assert!(pongs <= GLITCHES_MAX + 512 + 2 * GLITCHES_PER_SECOND, "{pongs}");
            if let Some((kind, _, body)) = last {
                assert_eq!((kind, body[0]), (GOAWAY, 1));
            }
            assert!(!crate::support::join(sender), "the rest was not read");
            wait_until(|| server.connections() == 1);
            assert_eq!(desk.add(3, 5).expect("another's connection"), 8);
        });
    });
    assert!(warnings.iter().any(|line| line.contains("bring nothing forward")), "{warnings:?}");
}

#[test]
fn a_pong_that_nobody_asked_for_is_malformed() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut raw = Raw::connect(server.local_addr());
        raw.send(&raw::frame(PONG, 0, &[0; 8]));
        assert_eq!(raw.receive().map(|(kind, _, body)| (kind, body[0])), Some((GOAWAY, 1)));
    });
}

#[test]
fn they_are_paid_for_with_whatever_else_brings_nothing_forward() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut raw = Raw::connect(server.local_addr());
        let half = (GLITCHES_MAX + 512) / 2;
        raw.send(&ping(1).repeat(half as usize));
        for _ in 0..half {
            assert_eq!(raw.receive().map(|(kind, ..)| kind), Some(PONG));
        }
        raw.send(&raw::frame(CANCEL, 7, &[]).repeat(half as usize));
        // A call is answered, and pays for one.
        raw.send(&raw::add(1, 3, 5));
        assert_eq!(raw.receive(), Some((REPLY, 1, vec![8])));
        raw.send(&ping(1).repeat(2 + 10 * GLITCHES_PER_SECOND as usize));
        let mut pongs = 0;
        let last = loop {
            match raw.receive() {
                Some((PONG, ..)) => pongs += 1,
                other => break other,
            }
        };
        assert!((1..10 * GLITCHES_PER_SECOND).contains(&pongs), "{pongs}");
        assert_eq!(last.map(|(kind, _, body)| (kind, body[0])), Some((GOAWAY, 1)));
    });
}
