//! Whatever middleware answers with, a caller is told that its call has run if it has: after a refusal that comes too late, and over
//! several attempts.

use std::sync::Arc;
use std::time::Duration;

use fibra::rpc::client::Proxy;
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

/// Outer middleware is told of all that inner middleware has let run, also if that refuses, or has it refused the second time: else it would
/// repeat what has run.
#[test]
fn an_outer_retry_behind_a_refusal_that_came_too_late() {
    on_one_worker(|| {
        let (server, counter) = serve(|request: &mut Request, next: Next<'_>| next.run(request));
        let channel = Channel::connect(server.local_addr()).expect("it listens");
        let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
        let sees = seen.clone();
        let retries = channel.with_middleware(move |request: &mut Request, mut next: Next<'_>| {
            let first = next.attempt(request);
            sees.lock().expect("no panic").push(first.executed());
            if first.executed() == Executed::No { next.attempt(request) } else { first }
        });
        let late = retries.with_middleware(|request: &mut Request, next: Next<'_>| {
            assert!(next.run(request).is_value());
            Denial::new("not for you").into()
        });
        let error = DeskClient::new(late).pass().expect_err("it is kept back");
        assert_eq!((error.executed(), counter.turnstile.entered()), (Executed::Yes, 1), "{error}");

        let twice = retries.with_middleware(|request: &mut Request, mut next: Next<'_>| {
            let _kept_back = next.attempt(request);
            request.metadata_mut().insert("again", "yes").expect("room");
            next.attempt(request)
        });
        let inmost = twice.with_middleware(|request: &mut Request, next: Next<'_>| {
            if request.metadata().get("again").is_some() {
                return Denial::overloaded("once is enough", None).into();
            }
            next.run(request)
        });
        let error = DeskClient::new(inmost).pass().expect_err("refused");
        assert_eq!((error.executed(), counter.turnstile.entered()), (Executed::Yes, 2), "{error}");
        assert_eq!(*seen.lock().expect("no panic"), [Executed::Yes; 2]);
    });
}

/// What a call that failed is answered with is its own: a value that middleware has kept from another was never this call's, and no frame of it
/// is there to be sent.
#[cfg(panic = "unwind")]
#[test]
fn a_kept_outcome_in_the_place_of_a_panic() {
    on_one_worker(|| {
        let kept = std::sync::Mutex::new(None);
        let builder = Server::builder().method("a.b", |(fails,): (bool,)| assert!(!fails, "as asked"));
        let builder = builder.middleware(move |request: &mut Request, next: Next<'_>| {
            let outcome = next.run(request);
            let mut kept = kept.lock().expect("no panic");
            if outcome.is_value() {
                let denial = Denial::new("kept").into();
                *kept = Some(outcome);
                return denial;
            }
            kept.take().unwrap_or(outcome)
        });
        let server = builder.bind(LOOPBACK).expect("a free port");
        let proxy = Proxy::connect(server.local_addr()).expect("it listens").within(Duration::from_secs(20));
        let first = proxy.call_by_name::<_, ()>("a.b", &(false,)).expect_err("it is kept back");
        assert_eq!(first.executed(), Executed::Yes);
        let error = proxy.call_by_name::<_, ()>("a.b", &(true,)).expect_err("it panicked");
        assert!(
            matches!(
                error,
                CallError::Refused { executed: Executed::Yes, .. } | CallError::Denied { executed: Executed::Yes, .. }
            ),
            "{error:?}"
        );
    });
}
