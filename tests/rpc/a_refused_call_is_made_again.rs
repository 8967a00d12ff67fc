//! A call that a server refuses, and so has not run, is made again: as often as its policy says, when the server says, and while the channel's budget
//! allows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fibra::clock;
use fibra::net::TcpListener;
use fibra::rpc::client::RetryPolicy;
use fibra::rpc::middleware::Next;
use fibra::rpc::{CallError, Channel, Executed, Request};

use crate::support::raw::{self, CALL, FAILURE, REPLY, Raw};
use crate::support::{DeskClient, LOOPBACK, join, on_one_worker};

const OVERLOADED: u8 = 6;
const PANICKED: u8 = 2;

/// nil
const NIL: u8 = 0xc0;

fn failure(xid: u64, code: u8, details: &[u8]) -> Vec<u8> {
    raw::frame(FAILURE, xid, &[&[code, 0, 0], details].concat())
}

/// A server that answers the n-th call with what `answer` says, until its client closes. Returns the xids.
fn serve(answer: impl Fn(usize, u64) -> Vec<u8> + Send + 'static) -> (DeskClient, fibra::JoinHandle<Vec<u64>>) {
    let listener = TcpListener::bind(LOOPBACK).expect("a free port");
    let addr = listener.local_addr().expect("it is bound");
    let serving = fibra::spawn(move || {
        let mut server = Raw::accept(&listener, &raw::Opened::default()).0;
        let mut xids = Vec::new();
        while let Some((kind, xid, _)) = server.receive() {
            if kind == CALL {
                server.send(&answer(xids.len(), xid));
                xids.push(xid);
            }
        }
        xids
    });
    (DeskClient::new(Channel::connect(addr).expect("it listens")), serving)
}

fn soon() -> RetryPolicy {
    RetryPolicy::default().backoff(Duration::from_millis(1), Duration::from_millis(1))
}

#[test]
fn under_another_xid_until_it_runs() {
    on_one_worker(|| {
        let (desk, serving) = serve(|nth, xid| match nth {
            0 | 1 => failure(xid, OVERLOADED, &[]),
            _ => raw::frame(REPLY, xid, &[NIL]),
        });
        desk.retry(soon()).pass().expect("the third time");
        let stats = desk.channel().stats();
        assert_eq!((stats.calls, stats.attempts, stats.retries), (1, 3, 2));
        drop(desk);
        assert_eq!(join(serving), [1, 2, 3], "another number each: the refusal is the answer to the first");
    });
}

#[test]
fn within_its_middleware() {
    on_one_worker(|| {
        let (desk, serving) = serve(|nth, xid| match nth {
            0 | 1 => failure(xid, OVERLOADED, &[]),
            _ => raw::frame(REPLY, xid, &[NIL]),
        });
        let seen = Arc::new(AtomicU32::new(0));
        let channel = desk.channel().with_middleware({
            let seen = seen.clone();
            move |request: &mut Request, next: Next<'_>| {
                seen.fetch_add(1, Ordering::Relaxed);
                next.run(request)
            }
        });
        DeskClient::new(channel).retry(soon()).pass().expect("the third time");
        assert_eq!(seen.load(Ordering::Relaxed), 1, "it is one call");
        drop(desk);
        assert_eq!(join(serving).len(), 3);
    });
}

#[test]
fn as_often_as_the_policy_says() {
    on_one_worker(|| {
        let (desk, serving) = serve(|_, xid| failure(xid, OVERLOADED, &[]));
        let error = desk.retry(soon().attempts(3)).pass().expect_err("refused each time");
        assert!(matches!(error, CallError::Overloaded { .. }), "{error:?}");
        let error = desk.retry(RetryPolicy::never()).pass().expect_err("refused");
        assert_eq!(error.executed(), Executed::No);
        drop(desk);
        assert_eq!(join(serving).len(), 3 + 1);
    });
}

#[test]
fn what_has_run_is_not() {
    on_one_worker(|| {
        let (desk, serving) = serve(|_, xid| failure(xid, PANICKED, &[]));
        desk.retry(soon()).pass().expect_err("it panicked");
        desk.retry(soon()).add(3, 5).expect_err("also if it could run again: so would the panic");
        drop(desk);
        assert_eq!(join(serving).len(), 2);
    });
}

#[test]
fn when_the_server_says() {
    on_one_worker(|| {
        let (desk, serving) = serve(|nth, xid| match nth {
            // 100 ms; then: never.
            0 => failure(xid, OVERLOADED, &[100]),
            1 => raw::frame(REPLY, xid, &[NIL]),
            _ => failure(xid, OVERLOADED, &[NIL]),
        });
        let start = clock::now();
        desk.retry(soon()).pass().expect("the second time");
        assert!(clock::now() - start >= Duration::from_millis(100));
        desk.retry(soon()).pass().expect_err("not again");
        drop(desk);
        assert_eq!(join(serving).len(), 3);
    });
}

/// It is told now, while the caller can still do something else.
#[test]
fn but_not_beyond_the_deadline() {
    on_one_worker(|| {
        let (desk, serving) = serve(|_, xid| failure(xid, OVERLOADED, &[0xcd, 0xff, 0xff]));
        let start = clock::now();
        let error = desk.within(Duration::from_secs(20)).pass().expect_err("a minute is too long");
        assert!(matches!(error, CallError::Overloaded { .. }), "{error:?}");
        assert!(clock::now() - start < Duration::from_secs(10));
        drop(desk);
        assert_eq!(join(serving).len(), 1);
    });
}

/// A server that refuses everything gets a tenth more than its callers' own calls, and a few to begin with.
#[test]
fn but_an_outage_gets_no_more_than_the_budget() {
    on_one_worker(|| {
        let (desk, serving) = serve(|nth, xid| {
            // One in twenty is served.
            if nth % 20 == 19 { raw::frame(REPLY, xid, &[NIL]) } else { failure(xid, OVERLOADED, &[]) }
        });
        let calls = 400;
        let patient = desk.retry(soon().attempts(10));
        let served = (0..calls).filter(|_| patient.pass().is_ok()).count();
        assert!(served > 0);
        drop((desk, patient));
        let attempts = join(serving).len();
        assert!((calls..=calls + calls / 10 + 10).contains(&attempts), "{attempts} attempts for {calls} calls");
    });
}
