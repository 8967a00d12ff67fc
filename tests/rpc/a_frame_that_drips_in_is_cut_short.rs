//! A frame that has begun to come is to come whole within a time, however steadily it drips; who has none under way may be silent for as long as it
//! likes, and who sends one after the other may take as long as that for each.

use std::io::Write;
use std::time::Duration;

use fibra::rpc::Server;
use fibra::rpc::server::Builder;

use crate::support::raw::{self, GOAWAY, REPLY, Raw};
use crate::support::{log, on_one_worker, serve_with};

const TIMEOUT: Duration = Duration::from_millis(300);

/// Who sends the beginning of a frame, and a byte after each `step`, is closed. Returns what this thread logs of it.
fn is_cut(builder: Builder, step: Duration) -> String {
    let (peer, log) = log::capture(|| {
        on_one_worker(|| {
            let (server, _) = serve_with(builder.frame_timeout(TIMEOUT));
            let mut silent = Raw::connect(server.local_addr());
            let mut raw = Raw::connect(server.local_addr());
            let start = fibra::clock::now();
            let payload = [&[0x91, 0xda, 0xff, 0xff][..], &[b'x'; 0xffff]].concat();
            let call = raw::call(1, Duration::from_secs(10), "desk.echo", &payload);
            raw.send(&call[..20]);
            let mut stream = raw.stream.try_clone().expect("shared");
            let dripping = fibra::spawn(move || {
                let mut goes_on = |byte: &u8| fibra::sleep(step).is_ok() && stream.write_all(&[*byte]).is_ok();
                call[20..].iter().take_while(|byte| goes_on(byte)).count()
            });
            let (kind, xid, body) = raw.receive().expect("last words");
            assert_eq!((kind, xid, body[0]), (GOAWAY, 0, 1));
            assert!(start.elapsed() >= TIMEOUT, "{:?}", start.elapsed());
            assert_eq!(raw.receive(), None);
            dripping.cancel();
            crate::support::join(dripping);

            silent.send(&raw::add(1, 3, 5));
            assert_eq!(silent.receive(), Some((REPLY, 1, vec![8])));
            raw.stream.local_addr().expect("it was bound")
        })
    });
    let told: Vec<_> = log.into_iter().filter(|line| line.contains(&peer.to_string())).collect();
    told.join("\n")
}

#[test]
fn however_often_something_comes() {
    let told = is_cut(Server::builder(), Duration::from_millis(20));
    assert!(told.contains("as a whole") && !told.contains('\n'), "{told}");
}

#[test]
fn when_nothing_more_comes() {
    let told = is_cut(Server::builder(), Duration::from_secs(3600));
    assert!(told.contains("as a whole") && !told.contains('\n'), "{told}");
}

#[test]
fn by_a_thread() {
    let _ = is_cut(Server::builder().thread_per_connection(), Duration::from_secs(3600));
    let _ = is_cut(Server::builder().thread_per_connection(), Duration::from_millis(20));
}

#[test]
fn one_after_the_other_is_not() {
    on_one_worker(|| {
        let (server, _) = serve_with(Server::builder().frame_timeout(TIMEOUT));
        let mut raw = Raw::connect(server.local_addr());
        let start = fibra::clock::now();
        let calls: Vec<_> = (1..=6).flat_map(|xid| raw::behind(raw::add(xid, 3, 5), 0)).collect();
        // The ends of frames are elsewhere than those of the pieces.
        for piece in calls.chunks(30) {
            raw.send(piece);
            fibra::sleep(TIMEOUT / 4).expect("nobody cancels it");
        }
        for xid in 1..=6 {
            assert_eq!(raw.receive(), Some((REPLY, xid, vec![8])));
        }
        assert!(start.elapsed() > TIMEOUT, "or it shows nothing");
    });
}
