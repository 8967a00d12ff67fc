//! As long as calls of a lane are under way at one server, further ones go nowhere else; in this process they stand in line, too.

use std::time::Duration;

use fibra::rpc::{CallError, Channel, Executed};

use crate::support::ledger::{Book, LedgerClient, serve};
use crate::support::{join, on_one_worker, wait_until};

#[test]
fn of_several() {
    on_one_worker(|| {
        let servers = [serve(), serve()];
        let addrs = servers.each_ref().map(|(server, _)| server.local_addr());
        let channel = Channel::connect_to(addrs).expect("they listen");
        let ledger = LedgerClient::new(channel.clone());
        wait_until(|| channel.endpoints().iter().all(|endpoint| endpoint.connected));
        for round in 0..10 {
            let calls: Vec<_> = (1..=20).map(|n| ledger.start().write_in(100 * round + n, 10)).collect();
            calls.into_iter().for_each(|call| _ = call.join().expect("an answer"));
        }
        let books = servers.each_ref().map(|(_, book)| book.entries());
        assert_eq!(books.iter().map(Vec::len).sum::<usize>(), 200);
        for book in books {
            assert!(book.is_sorted(), "{book:?}");
            assert_eq!(book.len() % 20, 0, "a round at one server: {book:?}");
        }
    });
}

#[test]
fn until_one_that_goes_down_has_answered() {
    on_one_worker(|| {
        let servers = [serve(), serve()];
        let addrs = servers.each_ref().map(|(server, _)| server.local_addr());
        let channel = Channel::connect_to(addrs).expect("they listen");
        let ledger = LedgerClient::new(channel.clone());
        wait_until(|| channel.endpoints().iter().all(|endpoint| endpoint.connected));
        let first = ledger.start().write_slowly(1);
        wait_until(|| servers.iter().any(|(_, book)| !book.entries().is_empty()));
        let [(left, its), (other, others)] = if servers[0].1.entries().is_empty() {
            let [one, two] = servers;
            [two, one]
        } else {
            servers
        };
        let draining = fibra::spawn(move || left.drain(Duration::from_secs(10)));
        wait_until(|| channel.endpoints().iter().filter(|endpoint| endpoint.connected).count() == 1);
        let second = fibra::spawn({
            let ledger = ledger.clone();
            move || ledger.write(2)
        });
        let error = ledger.within(Duration::from_millis(10)).write(3).expect_err("the first has not ended");
        assert_eq!(error.executed(), Executed::No, "{error:?}");
        assert!(others.entries().is_empty());
        its.turnstile.open();
        assert_eq!(first.join().expect("an answer"), 1);
        assert_eq!(join(second).expect("an answer"), 2);
        assert_eq!((its.entries(), others.entries()), (vec![1], vec![2]));
        join(draining);
        drop(other);
    });
}

#[test]
fn of_this_process() {
    on_one_worker(|| {
        let book = Book::default();
        let ledger = LedgerClient::local(book.clone());
        let write_slowly = |n| {
            let ledger = ledger.clone();
            fibra::spawn(move || ledger.write_slowly(n))
        };
        let first = write_slowly(1);
        book.turnstile.wait_for(1);
        let second = write_slowly(2);
        let error = ledger.within(Duration::from_millis(10)).write(3).expect_err("it stands in line");
        assert!(matches!(error, CallError::Timeout { executed: Executed::No, .. }), "{error:?}");
        book.turnstile.open();
        for (call, n) in [(first, 1), (second, 2)] {
            assert_eq!(join(call).expect("an answer"), n);
        }
        assert_eq!(ledger.write(4).expect("an answer"), 4);
        assert_eq!(book.entries(), [1, 2, 4]);
    });
}
