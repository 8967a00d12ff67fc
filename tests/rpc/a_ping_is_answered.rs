//! A server answers pings, also while handlers run; who floods it with them loses its own connection, with a logged reason.

use std::time::Duration;

use crate::support::raw::{self, GOAWAY, PING, PONG, Raw};
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
            assert!(pongs <= 200, "{pongs}");
            if let Some((kind, _, body)) = last {
                assert_eq!((kind, body[0]), (GOAWAY, 1));
            }
            assert!(!crate::support::join(sender), "the rest was not read");
            wait_until(|| server.connections() == 1);
            assert_eq!(desk.add(3, 5).expect("another's connection"), 8);
        });
    });
    assert!(warnings.iter().any(|line| line.contains("a flood of Ping frames")), "{warnings:?}");
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
