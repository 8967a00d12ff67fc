//! A call that middleware denies has not run, and a copy of it gets the same refusal, with its details, without being asked about again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fibra::rpc::error::Pushback;
use fibra::rpc::middleware::{Denial, Next};
use fibra::rpc::{CallError, Executed, Request, Server};

use crate::support::raw::{self, FAILURE, Raw};
use crate::support::{Counter, DeskClient, DeskServer, LOOPBACK, on_one_worker};

const DENIED: u8 = 16;

fn serve(asked: &Arc<AtomicUsize>) -> (Server, Counter) {
    let asked = asked.clone();
    let guard = move |request: &mut Request, next: Next<'_>| {
        asked.fetch_add(1, Ordering::Relaxed);
        match request.metadata().text("token") {
            Some("valid") => next.run(request),
            Some("tired") => {
                Denial::overloaded("one at a time", Some(Pushback::After(Duration::from_millis(250)))).into()
            }
            _ => Denial::new("who are you?").with("realm", "desk").with("key", &[1, 2][..]).into(),
        }
    };
    let counter = Counter::default();
    counter.turnstile.open();
    let builder = Server::builder().service(DeskServer::new(counter.clone())).middleware(guard);
    (builder.bind(LOOPBACK).expect("a free port"), counter)
}

#[test]
fn to_every_copy_of_it() {
    on_one_worker(|| {
        let asked = Arc::default();
        let (server, counter) = serve(&asked);
        let mut raw = Raw::connect(server.local_addr());
        let pass = raw::call(1, Duration::from_secs(10), "desk.pass", &[0x90]);
        raw.send(&pass);
        let (kind, xid, body) = raw.receive().expect("a failure");
        assert_eq!((kind, xid, body[0]), (FAILURE, 1, DENIED));
        // Also if the copy comes with what would have been accepted.
        raw.send(&raw::with_metadata(pass, b"\x81\xa5token\xa5valid"));
        assert_eq!(raw.receive(), Some((kind, xid, body)));
        assert_eq!((asked.load(Ordering::Relaxed), counter.turnstile.entered()), (1, 0));
    });
}

#[test]
fn with_details_for_programs() {
    on_one_worker(|| {
        let (server, counter) = serve(&Arc::default());
        let desk = DeskClient::connect(server.local_addr()).expect("it listens");
        let error = desk.pass().expect_err("no token");
        assert_eq!(error.executed(), Executed::No);
        assert_eq!(error.details().text("realm"), Some("desk"));
        assert_eq!(error.details().bytes("key"), Some(&[1, 2][..]));
        assert!(matches!(&error, CallError::Denied { message, .. } if message == "who are you?"), "{error}");
        assert!(error.to_string().ends_with("denied (who are you?); it has not run: calling again is safe"), "{error}");
        assert_eq!(counter.turnstile.entered(), 0);
    });
}

#[test]
fn or_says_when_to_try_again() {
    on_one_worker(|| {
        let (server, _) = serve(&Arc::default());
        let mut metadata = fibra::rpc::Metadata::new();
        metadata.insert("token", "tired").expect("room");
        let desk = DeskClient::connect(server.local_addr()).expect("it listens").with_metadata(metadata);
        let error = desk.pass().expect_err("too many");
        assert!(matches!(&error, CallError::Overloaded { .. }), "{error}");
        assert_eq!(error.pushback(), Some(Pushback::After(Duration::from_millis(250))));
        assert_eq!(error.executed(), Executed::No);
    });
}

#[test]
fn and_a_valid_one_passes() {
    on_one_worker(|| {
        let (server, counter) = serve(&Arc::default());
        let mut metadata = fibra::rpc::Metadata::new();
        metadata.insert("token", "valid").expect("room");
        let desk = DeskClient::connect(server.local_addr()).expect("it listens").with_metadata(metadata);
        desk.pass().expect("an answer");
        desk.pass_unseen().expect("room");
        crate::support::wait_until(|| counter.turnstile.entered() == 2);
    });
}
