//! A call ends at its deadline even if the server takes nothing of it; what has begun to leave still leaves whole.

use std::time::Duration;

use fibra::net::TcpListener;
use fibra::rpc::{CallError, Channel, Executed, Limits};

use crate::support::raw::{self, CALL, CANCEL, Raw};
use crate::support::{DeskClient, LOOPBACK, join, on_one_worker};

/// More than any socket's buffers hold.
const LARGE: usize = 32 << 20;

#[test]
fn while_the_server_does_not_read() {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let server = fibra::spawn(move || Raw::accept(&listener, &raw::Opened::default()).0.stream);
        let mut limits = Limits::default();
        limits.frame_bytes = 2 * LARGE;
        limits.buffered_bytes = 2 * LARGE;
        let proxy = DeskClient::new(Channel::connect_with(addr, limits).expect("it listens"));
        let mut server = Raw { stream: join(server), flags: 0 };

        let error = proxy.within(Duration::from_millis(20)).echo("x".repeat(LARGE)).expect_err("nobody reads");
        assert!(matches!(error, CallError::Timeout { .. }), "{error:?}");
        assert_eq!(error.executed(), Executed::Maybe);

        let (kind, xid, body) = server.receive().expect("the call");
        assert_eq!((kind, xid), (CALL, 1));
        assert!(body.ends_with(&[b'x'; 1000]) && body.len() > LARGE);
        assert_eq!(server.receive(), Some((CANCEL, 1, vec![])));
    });
}
