//! A call that goes to another connection because its server is going down does not go to that server, too, however late its turn to be sent
//! comes.

use std::time::Duration;

use fibra::net::TcpListener;
use fibra::rpc::client::Hedging;
use fibra::rpc::{Channel, Limits};

use crate::support::raw::{self, CALL, END, GOAWAY, REPLY, Raw};
use crate::support::streams::TapClient;
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
        wait_until(|| !desk.channel().is_connected());
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

/// Nor does it wait for room at the server that is going down, which may never read again.
#[test]
fn however_its_caller_waits_for_room() {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let mut limits = Limits::default();
        (limits.frame_bytes, limits.buffered_bytes) = (2 * LARGE, 1024);
        let connecting = fibra::spawn(move || Channel::connect_with(addr, limits).expect("it listens"));
        let mut first = Raw::accept(&listener, &raw::Opened::default()).0;
        let channel = join(connecting);
        let desk = DeskClient::new(channel.clone());
        let hedged = desk.hedge(Hedging::after(Duration::from_secs(60)));
        let tap = TapClient::new(channel.clone());

        let echo = desk.start().echo("x".repeat(LARGE));
        let ways: [Box<dyn FnOnce(DeskClient) + Send>; 5] = [
            Box::new(|desk| desk.pass().expect("it passes")),
            Box::new(|desk| desk.start().pass().join().expect("it passes")),
            Box::new(|desk| desk.pass_unseen().expect("it is sent")),
            Box::new(move |_| assert_eq!(hedged.add(3, 5).expect("a sum"), 8)),
            Box::new(move |_| assert_eq!(tap.sum().expect("it is open").finish().expect("a sum"), 0)),
        ];
        let calls = ways.len() as u64;
        let waiting = ways.map(|way| {
            let desk = desk.clone();
            fibra::spawn(move || way(desk))
        });
        // Three of them have an entry while they wait.
        wait_until(|| channel.stats().in_flight == 4);
        (0..10).for_each(|_| fibra::yield_now());
        first.send(&raw::frame(GOAWAY, 0, &[DRAINING]));

        let mut second = Raw::accept(&listener, &raw::Opened { server: 2, ..raw::Opened::default() }).0;
        for _ in 0..calls {
            let (kind, xid, body) = second.receive().expect("a call");
            // The end of the stream of numbers, if the call with it has come.
            let (_, xid, body) = if kind == END { second.receive().expect("a call") } else { (kind, xid, body) };
            let named = |name: &str| body.windows(name.len()).any(|window| window == name.as_bytes());
            let value = if named("desk.add") {
                8
            } else if named("sum") {
                0
            } else {
                0xc0
            };
            if !named("desk.pass_unseen") {
                second.send(&raw::frame(REPLY, xid, &[value]));
            }
        }
        waiting.into_iter().for_each(join);
        drop(echo);
    });
}
