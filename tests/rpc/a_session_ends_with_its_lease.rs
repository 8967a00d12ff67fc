//! A session that has no connection for its lease ends; its client begins anew, and is not told that what it had sent did not run.

use std::time::Duration;

use fibra::rpc::error::Disconnect;
use fibra::rpc::{CallError, Executed, Server};

use crate::support::proxy::Proxy;
use crate::support::raw::{self, REPLY, Raw, Session};
use crate::support::{Counter, DeskClient, join, on_one_worker, serve_with, wait_until};

const LEASE: Duration = Duration::from_millis(50);

fn serve() -> (Server, Counter) {
    serve_with(Server::builder().session_lease(LEASE))
}

/// Lets leases end, all but those of sessions that a connection holds.
fn let_leases_end(server: &Server) {
    fibra::sleep(2 * LEASE).expect("nothing cancels");
    // Sessions are looked at when a connection opens or closes.
    Raw::connect(server.local_addr());
}

#[test]
fn a_client_that_comes_back_later_begins_anew() {
    on_one_worker(|| {
        let (server, counter) = serve();
        counter.turnstile.open();
        let proxy = Proxy::to(server.local_addr());
        let desk = DeskClient::connect(proxy.addr()).expect("it listens");
        desk.pass().expect("a reply");
        proxy.cut();
        wait_until(|| server.connections() == 0);
        let_leases_end(&server);
        desk.pass().expect("of the next incarnation");
        assert_eq!(counter.turnstile.entered(), 2);
    });
}

#[test]
fn a_connection_that_closes_is_occasion_enough() {
    on_one_worker(|| {
        let (server, _) = serve();
        let [first, second] = [(); 2].map(|()| Raw::connect(server.local_addr()));
        drop(first);
        wait_until(|| server.connections() == 1);
        fibra::sleep(2 * LEASE).expect("nothing cancels");
        assert!(server.metrics().contains("fibra_rpc_sessions 2\n"));
        drop(second);
        wait_until(|| server.connections() == 0);
        assert!(server.metrics().contains("fibra_rpc_sessions 1\n"), "{}", server.metrics());
    });
}

#[test]
fn what_had_been_sent_may_have_run() {
    on_one_worker(|| {
        let (server, counter) = serve();
        counter.turnstile.open();
        let proxy = Proxy::to(server.local_addr());
        let desk = DeskClient::connect(proxy.addr()).expect("it listens");
        proxy.to_client().lose(true);
        let call = fibra::spawn({
            let desk = desk.clone();
            move || desk.pass()
        });
        proxy.to_client().wait_for_lost(1);
        // Nobody listens there.
        proxy.redirect(raw::nowhere());
        proxy.cut();
        wait_until(|| server.connections() == 0);
        let_leases_end(&server);
        proxy.to_client().lose(false);
        proxy.redirect(server.local_addr());

        let error = join(call).expect_err("its session has ended");
        assert!(matches!(error, CallError::Disconnected { cause: Disconnect::SessionLost, .. }), "{error:?}");
        assert_eq!(error.executed(), Executed::Maybe);
        assert_eq!(counter.turnstile.entered(), 1);
    });
}

#[test]
fn a_connection_holds_its_session() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut first = Raw::connect_only(server.local_addr());
        let opened = first.open(&Session::default());
        first.send(&raw::add(1, 3, 5));
        assert_eq!(first.receive(), Some((REPLY, 1, vec![8])));
        let_leases_end(&server);

        let mut second = Raw::connect_only(server.local_addr());
        assert!(second.open(&Session { server: opened.server, ..Session::default() }).resumed);
        second.send(&raw::add(1, 3, 5));
        assert_eq!(second.receive(), Some((REPLY, 1, vec![8])));
    });
}
