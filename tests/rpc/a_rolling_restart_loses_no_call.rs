//! Two servers that are restarted in turns, under load: each call is answered, and runs once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use fibra::rpc::client::Proxy;
use fibra::rpc::server::Drained;
use fibra::rpc::{Channel, Server};

use crate::support::stub::{self, Stub};
use crate::support::{DeskClient, join, on_two_workers, wait_until};

const CALLERS: usize = 16;
const ROUNDS: u64 = 5;

#[test]
fn and_fails_none() {
    on_two_workers(|| {
        let runs = Arc::new(AtomicU64::new(0));
        let start = |addr, server| {
            let runs = Arc::clone(&runs);
            Stub::start_at(addr, server, move |nth, xid| {
                runs.fetch_add(1, Ordering::SeqCst);
                stub::nil(nth, xid)
            })
        };
        let anywhere = crate::support::LOOPBACK.parse().expect("an address");
        let mut servers = [start(anywhere, 1), start(anywhere, 2)];
        let channel = Channel::connect_to(servers.each_ref().map(Stub::addr)).expect("they listen");
        let desk = DeskClient::new(channel.clone());
        let over = Arc::new(AtomicBool::new(false));
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let (desk, over) = (desk.clone(), Arc::clone(&over));
                fibra::spawn(move || {
                    let mut made = 0;
                    while !over.load(Ordering::SeqCst) {
                        desk.pass().expect("no call fails");
                        made += 1;
                    }
                    made
                })
            })
            .collect();

        for round in 0..ROUNDS {
            for which in 0..2 {
                wait_until(|| channel.endpoints().iter().all(|endpoint| endpoint.connected));
                let addr = servers[which].addr();
                let before = runs.load(Ordering::SeqCst);
                let incarnation = 3 + 2 * round + which as u64;
                let [first, second] = servers;
                let (old, other) = if which == 0 { (first, second) } else { (second, first) };
                old.drain();
                // It takes as long as it takes to come up again; the other serves meanwhile.
                wait_until(|| runs.load(Ordering::SeqCst) > before + 100);
                let new = start(addr, incarnation);
                servers = if which == 0 { [new, other] } else { [other, new] };
            }
        }
        over.store(true, Ordering::SeqCst);
        let made: u64 = callers.into_iter().map(join).sum();
        assert_eq!(runs.load(Ordering::SeqCst), made, "each ran once");
        assert!(made > 100 * 2 * ROUNDS);
        println!("{made} calls over {} restarts", 2 * ROUNDS);
    });
}

/// The real thing: servers that drain, and are started again at their address.
#[test]
fn of_servers_that_drain() {
    on_two_workers(|| {
        let runs = Arc::new(AtomicU64::new(0));
        let start = |addr: SocketAddr| {
            let runs = Arc::clone(&runs);
            let count = move |(_,): (u64,)| runs.fetch_add(1, Ordering::SeqCst);
            Server::builder().method("desk.count", count).bind(addr).expect("the address is free")
        };
        let anywhere = crate::support::LOOPBACK.parse().expect("an address");
        let mut servers = [start(anywhere), start(anywhere)];
        let channel = Channel::connect_to(servers.each_ref().map(Server::local_addr)).expect("they listen");
        let proxy = Proxy::new(channel.clone());
        let over = Arc::new(AtomicBool::new(false));
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let (proxy, over) = (proxy.clone(), Arc::clone(&over));
                fibra::spawn(move || {
                    let mut made = 0_u64;
                    while !over.load(Ordering::SeqCst) {
                        let _: u64 = proxy.call_by_name("desk.count", &(made,)).expect("no call fails");
                        made += 1;
                    }
                    made
                })
            })
            .collect();

        for _ in 0..ROUNDS {
            for server in &mut servers {
                wait_until(|| channel.endpoints().iter().all(|endpoint| endpoint.connected));
                let before = runs.load(Ordering::SeqCst);
                let addr = server.local_addr();
                assert_eq!(server.drain(Duration::from_secs(20)), Drained::Complete);
                // It takes as long as it takes to come up again; the other serves meanwhile.
                wait_until(|| runs.load(Ordering::SeqCst) > before + 100);
                *server = start(addr);
            }
        }
        over.store(true, Ordering::SeqCst);
        let made: u64 = callers.into_iter().map(join).sum();
        assert_eq!(runs.load(Ordering::SeqCst), made, "each ran once");
        assert!(made > 100 * 2 * ROUNDS);
    });
}
