//! While a server is dead, connecting again and retrying add a tenth to the load of its callers' own calls, and no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fibra::clock;
use fibra::net::TcpListener;
use fibra::rpc::{CallError, Channel, Executed};

use crate::support::stub::{self, Stub};
use crate::support::{DeskClient, join, on_one_worker, wait_until};

const OUTAGE: Duration = Duration::from_millis(1500);
const CALLERS: usize = 8;

#[test]
fn and_its_callers_know_that_nothing_has_run() {
    on_one_worker(|| {
        let server = Stub::start(stub::nil);
        let addr = server.addr();
        let desk = DeskClient::new(Channel::connect(addr).expect("it listens"));
        desk.pass().expect("it is well");
        server.kill();
        wait_until(|| !desk.channel().is_connected());

        // What is left of it counts who comes, and hangs up.
        let listener = TcpListener::bind(addr).expect("it is free again");
        let dialled = Arc::new(AtomicU64::new(0));
        let counting = fibra::spawn({
            let dialled = Arc::clone(&dialled);
            move || {
                for stream in listener.incoming() {
                    let Ok(_stream) = stream else { return };
                    dialled.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        let end = clock::now() + OUTAGE;
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let desk = desk.within(Duration::from_millis(20));
                fibra::spawn(move || {
                    let mut calls = 0;
                    while clock::now() < end {
                        let error = desk.pass().expect_err("it is dead");
                        assert!(matches!(error, CallError::Disconnected { .. }), "{error:?}");
                        assert_eq!(error.executed(), Executed::No);
                        calls += 1;
                    }
                    calls
                })
            })
            .collect();
        let calls: u64 = callers.into_iter().map(join).sum();
        counting.cancel();
        join(counting);
        let dialled = dialled.load(Ordering::SeqCst);
        assert!(dialled > 3 && dialled * 10 <= calls, "{dialled} attempts to connect for {calls} calls");
        assert_eq!(desk.channel().stats().retries, 0);

        let _again = Stub::start_at(addr, 2, stub::nil);
        desk.pass().expect("it is back");
    });
}
