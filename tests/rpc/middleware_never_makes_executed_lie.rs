//! Whatever middleware answers with, a caller is told that its call has run if it has: after a refusal that comes too late, and over
//! several attempts.

use std::sync::Arc;

use fibra::rpc::middleware::{Denial, Middleware, Next};
use fibra::rpc::{CallError, Channel, Executed, Request, Server};

use crate::support::{Counter, DeskClient, DeskServer, LOOPBACK, on_one_worker};

fn serve(middleware: impl Middleware) -> (Server, Counter) {
    let counter = Counter::default();
    counter.turnstile.open();
    let builder = Server::builder().service(DeskServer::new(counter.clone())).middleware(middleware);
    (builder.bind(LOOPBACK).expect("a free port"), counter)
}

#[test]
fn a_refusal_after_the_handler_has_run() {
    on_one_worker(|| {
        let (server, counter) = serve(|request: &mut Request, next: Next<'_>| {
            let outcome = next.run(request);
            if outcome.is_value() { Denial::new("not for you").with("why", "because").into() } else { outcome }
        });
        let desk = DeskClient::connect(server.local_addr()).expect("it listens");
        let error = desk.pass().expect_err("it is kept back");
        assert_eq!((error.executed(), error.details().text("why")), (Executed::Yes, Some("because")));
        assert_eq!(counter.turnstile.entered(), 1);
    });
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_before_and_after() {
    on_one_worker(|| {
        for after in [false, true] {
            let (server, counter) = serve(move |request: &mut Request, next: Next<'_>| {
                let outcome = after.then(|| next.run(request));
                panic!("as asked: {outcome:?}");
            });
            let desk = DeskClient::connect(server.local_addr()).expect("it listens");
            let error = desk.pass().expect_err("a panic");
            assert_eq!(error.executed(), if after { Executed::Yes } else { Executed::No }, "{error}");
            assert_eq!(counter.turnstile.entered(), usize::from(after));
        }
    });
}

#[test]
fn a_second_attempt_at_the_server() {
    on_one_worker(|| {
        let (server, counter) = serve(|request: &mut Request, mut next: Next<'_>| {
            assert!(next.attempt(request).is_value());
            next.attempt(request)
        });
        let desk = DeskClient::connect(server.local_addr()).expect("it listens");
        let error = desk.pass().expect_err("one attempt");
        assert_eq!((error.executed(), counter.turnstile.entered()), (Executed::Yes, 1), "{error}");
    });
}

/// The first attempt runs and the second is refused: of the whole it cannot be said that it has not run.
#[test]
fn several_attempts_at_the_client() {
    on_one_worker(|| {
        let (server, counter) = serve(|request: &mut Request, next: Next<'_>| {
            if request.metadata().get("again").is_some() {
                Denial::new("once is enough").into()
            } else {
                next.run(request)
            }
        });
        let channel = Channel::connect(server.local_addr()).expect("it listens");
        let seen = Arc::new(std::sync::Mutex::default());
        let sees = seen.clone();
        let insistent = channel.with_middleware(move |request: &mut Request, mut next: Next<'_>| {
            let first = next.attempt(request);
            request.metadata_mut().insert("again", "yes").expect("room");
            let second = next.attempt(request);
            *sees.lock().expect("no panic") = [first.executed(), second.executed()].to_vec();
            second
        });
        let error = DeskClient::new(insistent).pass().expect_err("refused");
        assert!(matches!(error, CallError::Denied { executed: Executed::Yes, .. }), "{error}");
        assert_eq!(*seen.lock().expect("no panic"), [Executed::Yes, Executed::No]);
        assert_eq!(counter.turnstile.entered(), 1);

        // One that never lets it go on.
        let closed = channel.with_middleware(|_: &mut Request, _: Next<'_>| Denial::new("closed").into());
        let error = DeskClient::new(closed).pass().expect_err("refused");
        assert_eq!((error.executed(), counter.turnstile.entered()), (Executed::No, 1));
    });
}

#[test]
fn a_retry_at_the_client_gets_the_value() {
    on_one_worker(|| {
        let refused = std::sync::atomic::AtomicBool::new(false);
        let (server, counter) = serve(move |request: &mut Request, next: Next<'_>| {
            if refused.swap(true, std::sync::atomic::Ordering::Relaxed) {
                next.run(request)
            } else {
                Denial::new("not yet").into()
            }
        });
        let channel = Channel::connect(server.local_addr()).expect("it listens");
        let retries = channel.with_middleware(|request: &mut Request, mut next: Next<'_>| {
            let first = next.attempt(request);
            if first.executed() == Executed::No { next.attempt(request) } else { first }
        });
        DeskClient::new(retries).pass().expect("an answer");
        assert_eq!(counter.turnstile.entered(), 1);
    });
}
