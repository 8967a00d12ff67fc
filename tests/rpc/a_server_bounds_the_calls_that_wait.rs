//! As many calls may wait in a server's handlers as it is told, whichever connections they come by; with as many, others are refused, have
//! not run, and are told when to try again.

use fibra::rpc::limits::PUSHBACK_FULL;
use fibra::rpc::{CallError, Executed, Server};

use crate::support::raw::{self, CANCEL, FAILURE, PING, PONG, REPLY, Raw, Session};
use crate::support::{connect, join, on_one_worker, serve_with, wait_until};

fn gauge(server: &Server) -> usize {
    let text = server.metrics();
    let line = text.lines().find_map(|line| line.strip_prefix("fibra_rpc_waiting_calls "));
    line.expect("it is told").parse().expect("a number")
}

#[test]
fn over_all_connections() {
    on_one_worker(|| {
        let (server, counter) = serve_with(Server::builder().waiting_max(3));
        let calls: Vec<_> = (0..3)
            .map(|_| {
                let proxy = connect(&server);
                fibra::spawn(move || proxy.pass())
            })
            .collect();
        counter.turnstile.wait_for(3);
        assert_eq!(gauge(&server), 3);

        let error = connect(&server).add(3, 5).expect_err("one too many");
        assert!(matches!(error, CallError::Overloaded { .. }), "{error:?}");
        assert_eq!(error.executed(), Executed::No);

        counter.turnstile.open();
        for call in calls {
            join(call).expect("it goes on");
        }
        wait_until(|| gauge(&server) == 0);
        assert_eq!(connect(&server).add(3, 5).expect("there is room"), 8);
    });
}

#[test]
fn calls_that_do_not_wait_are_none_of_them() {
    on_one_worker(|| {
        let (server, counter) = serve_with(Server::builder().waiting_max(1));
        let mut raw = Raw::connect(server.local_addr());
        raw.send(&(1..=64).flat_map(|xid| raw::add(xid, 3, 5)).collect::<Vec<_>>());
        for xid in 1..=64 {
            assert_eq!(raw.receive(), Some((REPLY, xid, vec![8])));
        }
        raw.send(&raw::call(65, std::time::Duration::from_secs(10), "desk.pass", &[0x90]));
        counter.turnstile.wait_for(1);
        raw.send(&raw::add(66, 3, 5));
        let (kind, xid, body) = raw.receive().expect("an answer");
        assert_eq!((kind, xid, body[0]), (FAILURE, 66, 6));
        let millis = u32::try_from(PUSHBACK_FULL.as_millis()).expect("short");
        assert!(body.ends_with(&millis.to_be_bytes()), "{body:?} says when to try again");
        counter.turnstile.open();
        assert_eq!(raw.receive(), Some((REPLY, 65, vec![0xc0])));
    });
}

#[test]
fn a_copy_of_one_that_runs_is_not_refused() {
    on_one_worker(|| {
        let (server, counter) = serve_with(Server::builder().waiting_max(1));
        let session = Session::default();
        let [mut first, mut second] = [0, 1].map(|_| {
            let mut raw = Raw::connect_only(server.local_addr());
            raw.open(&session);
            raw
        });
        let pass = |xid| raw::call(xid, std::time::Duration::from_secs(10), "desk.pass", &[0x90]);
        first.send(&pass(1));
        counter.turnstile.wait_for(1);
        // The first copy is let in, since its connection has nothing to wait for; the second is put off until that one has its answer.
        second.send(&[pass(1), pass(1)].concat());
        wait_until(|| gauge(&server) == 2);
        counter.turnstile.open();
        assert_eq!(first.receive(), Some((REPLY, 1, vec![0xc0])));
        for _ in 0..2 {
            assert_eq!(second.receive(), Some((REPLY, 1, vec![0xc0])));
        }
        assert_eq!(counter.turnstile.entered(), 1);
    });
}

/// Not until one of its own connection has ended, which may take long.
#[test]
fn a_copy_waits_no_longer_than_until_there_is_room() {
    on_one_worker(|| {
        let (server, counter) = serve_with(Server::builder().waiting_max(4));
        let mut clients = [(); 4].map(|()| Raw::connect(server.local_addr()));
        let wait = raw::call(1, std::time::Duration::from_secs(60), "desk.wait_for_ever", &[0x90]);
        clients.iter_mut().for_each(|client| client.send(&wait));
        wait_until(|| gauge(&server) == 4);
        let [first, second, others @ ..] = &mut clients;
        let (ping, pong) = (raw::frame(PING, 0, &[7; 8]), Some((PONG, 0, vec![7; 8])));
        for client in [&mut *first, second] {
            // The copy is put off, and with it what is behind it.
            client.send(&[&*wait, &*ping].concat());
        }
        for client in others.iter_mut() {
            // Whose turn comes behind theirs.
            client.send(&ping);
            assert_eq!(client.receive(), pong);
        }
        others.iter_mut().for_each(|client| client.send(&raw::frame(CANCEL, 1, &[])));
        for client in [first, second] {
            assert_eq!(client.receive(), pong);
        }
        assert_eq!(counter.turnstile.entered(), 4);
    });
}
