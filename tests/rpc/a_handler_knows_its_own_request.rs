//! A handler finds the call that it serves, with its metadata, before and after it has parked, whatever the others of its connection do
//! meanwhile. A fiber that it spawns serves no call, and nothing of it is left when the call has ended.

use std::sync::Arc;
use std::time::Duration;

use fibra::rpc::{Request, Server};

use crate::support::raw::{self, REPLY, Raw};
use crate::support::{LOOPBACK, Turnstile, join, on_one_worker};

#[fibra::service]
pub(crate) trait Mirror {
    /// Who calls, before and after it has waited.
    fn who(&self) -> (String, String);

    /// As `who`, at once.
    fn who_now(&self) -> String;

    /// What a spawned fiber finds.
    fn spawned(&self) -> bool;
}

#[derive(Clone, Default)]
struct Reflection(Arc<Turnstile>);

fn describe() -> String {
    Request::with_current(|request| match request {
        Some(request) => {
            let left =
                request.deadline().map_or(Duration::ZERO, |at| at.saturating_duration_since(fibra::clock::now()));
            let has_time = left > Duration::ZERO && left <= Duration::from_secs(10);
            let key = request.metadata().text("k").unwrap_or("-");
            format!("{} {} {key} {has_time}", request.method(), request.xid().unwrap_or_default())
        }
        None => "nobody".to_owned(),
    })
}

impl Mirror for Reflection {
    fn who(&self) -> (String, String) {
        let before = describe();
        self.0.pass();
        (before, describe())
    }

    fn who_now(&self) -> String {
        describe()
    }

    fn spawned(&self) -> bool {
        join(fibra::spawn(|| Request::current().is_none())) && Request::current().is_some()
    }
}

fn call(xid: u64, method: &str, value: u8) -> Vec<u8> {
    let call = raw::call(xid, Duration::from_secs(10), method, &[0x90]);
    raw::with_metadata(call, &[0x81, 0xa1, b'k', 0xa1, value])
}

fn text(text: &str) -> Vec<u8> {
    [&[0xa0 | u8::try_from(text.len()).expect("short")], text.as_bytes()].concat()
}

#[test]
fn before_and_after_it_has_parked() {
    on_one_worker(|| {
        let mirror = Reflection::default();
        let server = Server::builder().service(MirrorServer::new(mirror.clone())).bind(LOOPBACK).expect("a free port");
        let mut raw = Raw::connect(server.local_addr());
        raw.send(&[call(1, "mirror.who", b'a'), call(2, "mirror.who", b'b'), call(3, "mirror.who_now", b'c')].concat());
        assert_eq!(raw.receive(), Some((REPLY, 3, text("mirror.who_now 3 c true"))));
        mirror.0.wait_for(2);
        mirror.0.open();
        for (xid, key) in [(1, 'a'), (2, 'b')] {
            let who = text(&format!("mirror.who {xid} {key} true"));
            assert_eq!(raw.receive(), Some((REPLY, xid, [&[0x92], &who[..], &who].concat())));
        }
        // Without metadata, on the same connection.
        raw.send(&raw::call(4, Duration::from_secs(10), "mirror.who_now", &[0x90]));
        assert_eq!(raw.receive(), Some((REPLY, 4, text("mirror.who_now 4 - true"))));
        assert_eq!(describe(), "nobody");
    });
}

#[test]
fn a_spawned_fiber_serves_no_call() {
    on_one_worker(|| {
        let server =
            Server::builder().service(MirrorServer::new(Reflection::default())).bind(LOOPBACK).expect("a free port");
        let proxy = MirrorClient::connect(server.local_addr()).expect("it listens");
        assert!(proxy.spawned().expect("an answer"));
    });
}

#[test]
fn a_handler_on_a_thread_knows_it_too() {
    on_one_worker(|| {
        let builder = Server::builder().service(MirrorServer::new(Reflection::default())).thread_per_connection();
        let server = builder.bind(LOOPBACK).expect("a free port");
        let proxy = MirrorClient::connect(server.local_addr()).expect("it listens");
        assert_eq!(proxy.who_now().expect("an answer"), "mirror.who_now 1 - true");
    });
}
