//! A call that goes to another connection because its server is going down does not go to that server, too, however late its turn to be sent
//! comes.

use fibra::net::TcpListener;
use fibra::rpc::{Channel, Limits};

use crate::support::raw::{self, CALL, GOAWAY, REPLY, Raw};
use crate::support::stub::DRAINING;
use crate::support::{DeskClient, LOOPBACK, join, on_one_worker, wait_until};

/// More than any socket's buffers hold.
const LARGE: usize = 32 << 20;

#[test]
fn while_its_starter_waits_for_room() {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let mut limits = Limits::default();
        (limits.frame_bytes, limits.buffered_bytes) = (2 * LARGE, 1024);
        let connecting = fibra::spawn(move || Channel::connect_with(addr, limits).expect("it listens"));
        let mut first = Raw::accept(&listener, &raw::Opened::default()).0;
        let desk = DeskClient::new(join(connecting));

        let echo = desk.start().echo("x".repeat(LARGE));
        let passing = fibra::spawn({
            let desk = desk.clone();
            move || desk.start().pass().join()
        });
        wait_until(|| desk.channel().stats().in_flight == 2);
        first.send(&raw::frame(GOAWAY, 0, &[DRAINING]));
        wait_until(|| desk.channel().stats().in_flight == 1);
        assert_eq!(first.receive().map(|(kind, xid, _)| (kind, xid)), Some((CALL, 1)), "now there is room");

        let mut second = Raw::accept(&listener, &raw::Opened { server: 2, ..raw::Opened::default() }).0;
        assert_eq!(second.receive().map(|(kind, xid, _)| (kind, xid)), Some((CALL, 1)));
        second.send(&raw::frame(REPLY, 1, &[0xc0]));
        join(passing).expect("it passes");
        first.send(&raw::frame(REPLY, 1, &[0xa0]));
        assert_eq!(echo.join().expect("an echo"), "");
        assert_eq!(first.receive(), None, "nothing more went there");
    });
}
