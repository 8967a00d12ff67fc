//! One proxy serves fibers of any worker and plain threads, at once.

use std::thread;

use crate::support::{connect, join, on_one_worker, on_two_workers, serve};

#[test]
fn from_a_fiber() {
    on_one_worker(|| {
        let (server, _) = serve();
        assert_eq!(connect(&server).add(3, 5).expect("a sum"), 8);
    });
}

#[test]
fn from_a_thread() {
    on_one_worker(|| {
        let (server, _) = serve();
        let proxy = connect(&server);
        let thread = thread::spawn(move || proxy.add(3, 5));
        // Joining the thread here would stop the only worker.
        let sum = fibra::blocking(move || thread.join()).expect("the pool has a thread").expect("no panic");
        assert_eq!(sum.expect("a sum"), 8);
    });
}

#[test]
fn from_both_on_one_connection() {
    on_two_workers(|| {
        let (server, _) = serve();
        let proxy = connect(&server);
        let sums =
            |proxy: crate::support::DeskClient| move || (0..200).map(|n| proxy.add(n, 1).expect("a sum")).sum::<i64>();
        let threads: Vec<_> = (0..4).map(|_| thread::spawn(sums(proxy.clone()))).collect();
        let fibers: Vec<_> = (0..20).map(|_| fibra::spawn(sums(proxy.clone()))).collect();
        for fiber in fibers {
            assert_eq!(join(fiber), 20_100);
        }
        for thread in threads {
            let sum = fibra::blocking(move || thread.join()).expect("the pool has a thread");
            assert_eq!(sum.expect("no panic"), 20_100);
        }
        let stats = proxy.channel().stats();
        assert_eq!((stats.calls, stats.in_flight, stats.late_replies), (24 * 200, 0, 0));
    });
}
