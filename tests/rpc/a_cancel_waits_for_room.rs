//! A call that is given up while the connection's output is full is still cancelled at the server, once there is room.

use fibra::net::TcpListener;
use fibra::rpc::{Channel, Limits};

use crate::support::raw::{self, CALL, CANCEL, Raw};
use crate::support::{DeskClient, LOOPBACK, join, on_one_worker};

#[test]
fn behind_what_fills_it() {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let server = fibra::spawn(move || Raw::accept(&listener, &raw::Opened::default()).0);
        let mut limits = Limits::default();
        limits.buffered_bytes = 1024;
        let desk = DeskClient::new(Channel::connect_with(addr, limits).expect("it listens"));
        let mut server = join(server);

        let calls: Vec<_> = (0..8).map(|_| desk.start().pass()).collect();
        for xid in 1..=8 {
            assert_eq!(server.receive().map(|(kind, xid, _)| (kind, xid)), Some((CALL, xid)));
        }
        // Of one worker: nobody writes before this fiber waits.
        let filling = desk.start().echo("x".repeat(1024));
        drop(calls);
        assert_eq!(server.receive().map(|(kind, xid, _)| (kind, xid)), Some((CALL, 9)));
        for xid in 1..=8 {
            assert_eq!(server.receive(), Some((CANCEL, xid, vec![])));
        }
        drop(filling);
        assert_eq!(server.receive(), Some((CANCEL, 9, vec![])));
    });
}
