//! When the connection is lost and no other is to be had, a call ends at its deadline: `executed` is `Maybe` if it had left, and `No` if not.

use std::time::Duration;

use fibra::net::TcpListener;
use fibra::rpc::error::Disconnect;
use fibra::rpc::{CallError, Channel, Executed, Limits, Server};

use crate::support::{DeskClient, LOOPBACK, connect, join, on_one_worker, on_two_workers, raw, serve, serve_with};

const SHORT: Duration = Duration::from_millis(300);

#[test]
fn a_server_that_goes_away_in_the_middle_of_a_call() {
    on_one_worker(|| {
        let (server, counter) = serve();
        let proxy = connect(&server);
        let call = fibra::spawn({
            let proxy = proxy.clone();
            move || proxy.within(SHORT).wait_for_ever()
        });
        counter.turnstile.wait_for(1);
        server.shutdown();

        let error = join(call).expect_err("the server is gone");
        assert!(matches!(error, CallError::Disconnected { .. }), "{error:?}");
        assert_eq!(error.executed(), Executed::Maybe);

        let error = proxy.within(SHORT).add(3, 5).expect_err("nobody listens any more");
        assert!(matches!(error, CallError::Disconnected { .. }), "{error:?}");
        assert_eq!(error.executed(), Executed::No);
        assert!(error.to_string().contains("connection refused"), "{error}");
    });
}

/// A server that never reads: the kernel takes what it has room for, and the rest stays here.
#[test]
fn calls_that_never_left_have_not_run() {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        // The listener goes with the fiber, so that there is one connection only.
        let server = fibra::spawn(move || raw::Raw::accept(&listener, &raw::Opened::default()).0.stream);
        let proxy = DeskClient::connect(addr).expect("it listens");
        let stream = join(server);

        // 48 MiB, which is more than any socket buffers hold; 8 MiB of it are the outbox's.
        let calls: Vec<_> = (0..16)
            .map(|_| {
                let proxy = proxy.clone();
                fibra::spawn(move || proxy.within(Duration::from_secs(1)).echo("x".repeat(3 << 20)))
            })
            .collect();
        crate::support::wait_until(|| proxy.channel().stats().in_flight == 16);
        drop(stream);

        let ends: Vec<_> = calls.into_iter().map(|call| join(call).expect_err("lost").executed()).collect();
        assert!(ends.iter().all(|end| *end != Executed::Yes), "{ends:?}");
        assert_eq!(ends.last(), Some(&Executed::No), "{ends:?}");
    });
}

/// Sent again, it would break the next connection, too, and with it the calls of others.
#[test]
fn what_the_server_takes_for_malformed_is_not_sent_again() {
    on_one_worker(|| {
        let mut limits = Limits::default();
        limits.frame_bytes = 1024;
        let (server, _) = serve_with(Server::builder().limits(limits));
        let proxy = connect(&server);
        let error = proxy.echo("x".repeat(2048)).expect_err("more than the server takes");
        let CallError::Disconnected { cause: Disconnect::GoAway { message, .. }, executed, .. } = error else {
            panic!("{error:?}");
        };
        assert!(message.contains("over the limit"), "{message}");
        assert_eq!(executed, Executed::Maybe, "the client cannot tell which frame it was");
        assert_eq!(proxy.echo("x".to_owned()).expect("on the next connection"), "x");
        assert_eq!(proxy.channel().stats().connections, 2);
    });
}

/// It is refused when its header has come, while its writer is still at it.
#[test]
fn what_is_far_too_long_is_not_sent_again_either() {
    on_two_workers(|| {
        let (server, _) = serve();
        let mut limits = Limits::default();
        limits.frame_bytes = 64 << 20;
        limits.buffered_bytes = 64 << 20;
        let channel = Channel::connect_with(server.local_addr(), limits).expect("the server listens");
        let proxy = DeskClient::new(channel);
        let error = proxy.echo("x".repeat(48 << 20)).expect_err("more than the server takes");
        assert_eq!(error.executed(), Executed::Maybe, "{error:?}");
        assert_eq!(proxy.echo("x".to_owned()).expect("on the next connection"), "x");
        assert_eq!(proxy.channel().stats().connections, 2);
    });
}
