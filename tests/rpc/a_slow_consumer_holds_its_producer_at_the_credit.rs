//! Backpressure: a sender is held when its receiver does not take, and holds up nothing but itself.

use std::sync::atomic::Ordering;

use fibra::rpc::limits::STREAM_CREDIT_INITIAL;
use fibra::rpc::{Limits, Server};

use crate::support::{connect, join, on_one_worker, on_two_workers, streams, wait_until};

/// What an item of this text costs.
fn cost(text: &str) -> usize {
    16 + 3 + text.len()
}

#[test]
fn a_handler_that_takes_nothing_holds_the_client() {
    on_one_worker(|| {
        let (server, tap, proxy) = streams::serve();
        let blob = "x".repeat(1_000);
        let (blobs, rest) = proxy.hold().expect("it begins").split();
        let sender = fibra::spawn({
            let (tap, blob) = (tap.clone(), blob.clone());
            move || {
                for _ in 0..5_000 {
                    blobs.send(blob.clone()).expect("in the end it is taken");
                    tap.ended.lock().take();
                    tap.sent.fetch_add(1, Ordering::Relaxed);
                }
                blobs.finish();
            }
        });
        tap.turnstile.wait_for(1);
        let most = STREAM_CREDIT_INITIAL as usize / cost(&blob);
        wait_until(|| tap.sent.load(Ordering::Relaxed) as usize == most);
        // Others go on, and after a round trip on the same connection the sender has had every chance to send more.
        for number in 0..100 {
            assert_eq!(connect(&server).add(number, 1).expect("a sum"), number + 1);
            let sum = proxy.sum().expect("it begins");
            sum.send(number).expect("it is taken");
            assert_eq!(sum.finish().expect("a sum"), number);
        }
        assert_eq!(tap.sent.load(Ordering::Relaxed) as usize, most);

        tap.turnstile.open();
        assert_eq!(rest.finish().expect("all came"), 5_000_000);
        join(sender);
    });
}

/// Many times what fits into the window, and few enough to come within a call's time on a busy machine.
const COUNT: u64 = 200_000;

#[test]
fn a_client_that_takes_nothing_holds_the_handler() {
    on_one_worker(|| {
        let (_server, tap, proxy) = streams::serve();
        let mut numbers = proxy.count(COUNT).expect("it begins");
        assert_eq!(numbers.recv().expect("a number"), Some(0));
        let other = proxy.count(3).expect("it begins");
        assert_eq!(other.map(|number| number.expect("a number")).sum::<u64>(), 3);

        let window = Limits::default().stream_window;
        // A number takes a byte at least.
        let most = (window / 17 + 10) as u64;
        let sent = tap.items.load(Ordering::Relaxed);
        assert!(sent < most && most < COUNT, "{sent} of {most}");
        assert_eq!(numbers.map(|number| number.expect("a number")).sum::<u64>(), (0..COUNT).sum::<u64>());
    });
}

#[test]
fn an_item_larger_than_the_window_comes_through() {
    on_two_workers(|| {
        let mut limits = Limits::default();
        limits.stream_window = 0; // The least.
        limits.stream_bytes = 0;
        let (_server, _tap, proxy) = streams::serve_with(Server::builder().limits(limits));
        let lines = proxy.shout().expect("it begins");
        let line = "line ".repeat(200_000);
        lines.send(line.clone()).expect("in pieces");
        let (sender, mut answers) = lines.split();
        let sender = fibra::spawn(move || {
            sender.send("short".to_owned()).expect("the handler takes it");
            sender.finish();
        });
        assert_eq!(answers.recv().expect("an answer"), Some(line.to_uppercase()));
        assert_eq!(answers.recv().expect("an answer").as_deref(), Some("SHORT"));
        join(sender);
        assert_eq!(answers.finish().expect("how many"), 2);
    });
}

#[test]
fn a_large_transfer_is_whole() {
    on_two_workers(|| {
        let (_server, _tap, proxy) = streams::serve();
        let blobs = proxy.blobs(64, 1_000_000).expect("it begins");
        let lens = blobs.map(|blob| blob.expect("a blob").len()).collect::<Vec<_>>();
        assert_eq!(lens, [1_000_000; 64]);
    });
}

#[test]
fn a_handler_that_takes_no_more_says_so() {
    on_one_worker(|| {
        use fibra::rpc::stream::StreamError;

        let (_server, tap, proxy) = streams::serve();
        let numbers = proxy.take_some(3).expect("it begins");
        let error = (1..).find_map(|number| numbers.send(number).err());
        assert_eq!(error, Some(StreamError::Stopped));
        tap.turnstile.open();
        assert_eq!(numbers.finish().expect("the sum of what it took"), 6);
        // What was under way does no harm to what follows.
        let sum = proxy.sum().expect("it begins");
        sum.send(5).expect("it is taken");
        assert_eq!(sum.finish().expect("a sum"), 5);
    });
}
