//! Of several servers, the one whose connection is lost keeps the at-most-once calls that it may have got, until it is back; all others move.

use std::time::Duration;

use fibra::net::TcpListener;
use fibra::rpc::{CallError, Channel, Executed};

use crate::support::raw::{self, CALL, REPLY, Raw};
use crate::support::{Counter, DeskClient, LOOPBACK, join, on_one_worker, serve, wait_until};

/// A raw server that has one call, and a real one that nobody has called yet.
fn in_doubt<T: Send + 'static>(
    call: impl FnOnce(DeskClient) -> T + Send + 'static,
) -> (DeskClient, TcpListener, Raw, fibra::JoinHandle<T>, (fibra::rpc::Server, Counter)) {
    let listener = TcpListener::bind(LOOPBACK).expect("a free port");
    let addr = listener.local_addr().expect("it is bound");
    let (other, counter) = serve();
    counter.turnstile.open();
    let addrs = [addr, raw::nowhere()];
    // The other one comes in later, so that the first gets the call.
    let connecting = fibra::spawn(move || Channel::connect_to([addrs[0], addrs[1]]));
    let mut raw = Raw::accept(&listener, &raw::Opened::default()).0;
    let desk = DeskClient::new(join(connecting).expect("the first listens"));
    let calling = fibra::spawn({
        let desk = desk.clone();
        move || call(desk)
    });
    assert_eq!(raw.receive().map(|(kind, ..)| kind), Some(CALL));
    other.shutdown();
    let builder = fibra::rpc::Server::builder().service(crate::support::DeskServer::new(counter.clone()));
    let other = builder.bind(addrs[1]).expect("it is free");
    (desk, listener, raw, calling, (other, counter))
}

#[test]
fn an_at_most_once_call() {
    on_one_worker(|| {
        let (desk, listener, first, calling, (_other, counter)) = in_doubt(|desk| desk.pass());
        drop(first);
        wait_until(|| desk.within(Duration::from_millis(200)).pass().is_ok());
        let moved = counter.turnstile.entered();
        assert!(moved > 0, "new calls go to the other");

        let mut again = Raw::accept(&listener, &raw::Opened { resumed: true, ..raw::Opened::default() }).0;
        assert_eq!(again.receive().map(|(kind, xid, _)| (kind, xid)), Some((CALL, 1)), "where it was");
        again.send(&raw::frame(REPLY, 1, &[0xc0]));
        join(calling).expect("an answer");
        assert_eq!(counter.turnstile.entered(), moved);
    });
}

#[test]
fn an_idempotent_one_moves() {
    on_one_worker(|| {
        let (desk, listener, first, calling, _other) = in_doubt(|desk| desk.add(3, 5));
        drop((first, listener));
        assert_eq!(join(calling).expect("from the other"), 8);
        assert_eq!(desk.channel().stats().retries, 1);
    });
}

#[test]
fn nobody_is_left_to_ask() {
    on_one_worker(|| {
        let (_desk, listener, first, calling, (other, _)) =
            in_doubt(|desk| desk.within(Duration::from_millis(300)).pass());
        other.shutdown();
        drop((first, listener));
        let error = join(calling).expect_err("nobody knows");
        assert!(matches!(error, CallError::Disconnected { .. }), "{error:?}");
        assert_eq!(error.executed(), Executed::Maybe);
        let error = _desk.within(Duration::from_millis(50)).pass().expect_err("nobody listens");
        assert!(matches!(error, CallError::Disconnected { .. }), "{error:?}");
        assert_eq!(error.executed(), Executed::No);
    });
}
