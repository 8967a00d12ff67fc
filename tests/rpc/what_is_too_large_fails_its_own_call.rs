//! A message over the frame limit is that call's error, on either side; the connection goes on.

use fibra::rpc::error::Side;
use fibra::rpc::{CallError, Executed, Limits, Server};

use crate::support::{connect, on_one_worker, serve, serve_with};

const OVER: usize = 5 << 20;

#[test]
fn arguments_are_refused_before_they_leave() {
    on_one_worker(|| {
        let (server, _) = serve();
        let proxy = connect(&server);
        let error = proxy.echo("x".repeat(OVER)).expect_err("over the limit");
        assert!(matches!(error, CallError::TooLarge { side: Side::Request, .. }), "{error:?}");
        assert_eq!(error.executed(), Executed::No);
        assert_eq!(proxy.add(3, 5).expect("the connection goes on"), 8);
    });
}

#[test]
fn a_reply_is_a_failure_after_the_fact() {
    on_one_worker(|| {
        let (server, _) = serve();
        let proxy = connect(&server);
        let error = proxy.blanks(OVER as u64).expect_err("over the limit");
        assert!(matches!(error, CallError::TooLarge { side: Side::Reply, .. }), "{error:?}");
        assert_eq!(error.executed(), Executed::Yes);
        assert_eq!(proxy.add(3, 5).expect("the connection goes on"), 8);
    });
}

#[test]
fn the_limit_can_be_raised() {
    on_one_worker(|| {
        let mut limits = Limits::default();
        limits.frame_bytes = 8 << 20;
        let (server, _) = serve_with(Server::builder().limits(limits));
        let channel = fibra::rpc::Channel::connect_with(server.local_addr(), limits).expect("the server listens");
        let proxy = crate::support::DeskClient::new(channel);
        let text: String = ('a'..='z').cycle().take(OVER).collect();
        assert!(proxy.echo(text.clone()).expect("within the limit") == text);
    });
}
