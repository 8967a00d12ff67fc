//! Two servers that are restarted in turns, under load: each call is answered, and runs once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fibra::rpc::Channel;

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
