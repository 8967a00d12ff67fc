//! A call that is started is made again, or goes to another server, however it is waited for, as the plain call does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fibra::rpc::client::{Pending, RetryPolicy};
use fibra::rpc::{CallError, Channel};
use fibra::sync::{channel, select};

use crate::support::raw::{self, REPLY};
use crate::support::stub::{self, Stub};
use crate::support::{DeskClient, LOOPBACK, join, on_one_worker, wait_until};

const LONG: Duration = Duration::from_secs(60);

type Way = fn(Pending<i64>) -> Result<i64, CallError>;

/// Each way in which a handle gives its result while its holder could do something else.
const WAYS: [Way; 4] = [looks, waits, selects, joins_any];

fn looks(mut call: Pending<i64>) -> Result<i64, CallError> {
    loop {
        if let Some(result) = call.try_join() {
            return result;
        }
        fibra::yield_now();
    }
}

fn waits(mut call: Pending<i64>) -> Result<i64, CallError> {
    assert!(call.join_timeout(Duration::ZERO).is_none());
    call.join_timeout(LONG).expect("in time")
}

fn selects(mut call: Pending<i64>) -> Result<i64, CallError> {
    let (_never, stopped) = channel::bounded::<()>(1);
    select! {
        join(call) -> result => result,
        recv(stopped) -> _ => panic!("nobody says so"),
    }
}

fn joins_any(call: Pending<i64>) -> Result<i64, CallError> {
    Pending::join_any(&mut [call]).expect("one").1
}

fn eight(_nth: u64, xid: u64) -> Vec<u8> {
    raw::frame(REPLY, xid, &[8])
}

#[test]
fn after_a_refusal() {
    on_one_worker(|| {
        for way in WAYS {
            let server = Stub::start(|nth, xid| if nth < 2 { stub::overloaded(nth, xid) } else { eight(nth, xid) });
            let desk = DeskClient::new(Channel::connect(server.addr()).expect("it listens"));
            assert_eq!(way(desk.start().add(3, 5)).expect("the third is taken"), 8);
            let stats = desk.channel().stats();
            assert_eq!((stats.calls, stats.retries, stats.in_flight), (1, 2, 0));
            assert_eq!(server.calls(), 3);
        }
    });
}

#[test]
fn after_its_server_has_gone() {
    on_one_worker(|| {
        for way in WAYS {
            let answers = Arc::new(AtomicBool::new(false));
            let start = |incarnation| {
                let answers = Arc::clone(&answers);
                let answer = move |nth, xid| if answers.load(Ordering::SeqCst) { eight(nth, xid) } else { Vec::new() };
                Stub::start_at(LOOPBACK.parse().expect("an address"), incarnation, answer)
            };
            let [first, second] = [start(1), start(2)];
            let channel = Channel::connect_to([first.addr(), second.addr()]).expect("they listen");
            wait_until(|| channel.endpoints().iter().all(|endpoint| endpoint.connected));
            let call = DeskClient::new(channel).start().add(3, 5);
            wait_until(|| first.calls() + second.calls() == 1);
            answers.store(true, Ordering::SeqCst);
            let (has_it, other) = if first.calls() == 1 { (first, second) } else { (second, first) };
            has_it.kill();
            assert_eq!(way(call).expect("the other answers"), 8);
            assert_eq!(other.calls(), 1);
        }
    });
}

#[test]
fn as_long_as_somebody_holds_it() {
    on_one_worker(|| {
        let server = Stub::start(stub::overloaded);
        let desk = DeskClient::new(Channel::connect(server.addr()).expect("it listens"));
        let mut call = desk.within(LONG).retry(RetryPolicy::default().backoff(LONG / 2, LONG)).start().add(3, 5);
        wait_until(|| desk.channel().stats().in_flight == 0);
        assert!(call.try_join().is_none(), "it is to be made again");
        assert!(call.join_timeout(Duration::ZERO).is_none());
        drop(desk);
        drop(call);
        // It returns once its clients have gone: who goes on with the call is not one any more.
        server.drain();
    });
}

#[test]
fn until_its_holder_is_interrupted() {
    on_one_worker(|| {
        let server = Stub::start(stub::overloaded);
        let desk = DeskClient::new(Channel::connect(server.addr()).expect("it listens"));
        let patient = desk.within(LONG).retry(RetryPolicy::default().backoff(LONG / 2, LONG));
        for way in WAYS.into_iter().skip(1) {
            let call = patient.start().add(3, 5);
            let before = server.calls();
            let waiting = fibra::spawn(move || way(call));
            wait_until(|| server.calls() > before && desk.channel().stats().in_flight == 0);
            waiting.cancel();
            let error = join(waiting).expect_err("nobody takes it");
            assert!(matches!(error, CallError::Cancelled { .. }), "{error:?}");
        }
        let call = patient.start().add(3, 5);
        let error =
            fibra::cancel::with_timeout(Duration::from_millis(20), || joins_any(call)).expect_err("nobody takes it");
        assert!(matches!(error, CallError::Timeout { .. }), "{error:?}");
    });
}
