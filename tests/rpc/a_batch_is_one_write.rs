//! Calls of a batch leave with one write, and each has its own outcome, in order.

use std::time::Duration;

use fibra::rpc::client::Pending;
use fibra::rpc::{CallError, Channel, Limits};

use crate::support::streams::{self, TapClient};
use crate::support::{DeskClient, connect, on_one_worker, on_two_workers, serve};

#[test]
fn results_come_in_order_each_by_itself() {
    on_one_worker(|| {
        let (server, _counter) = serve();
        let desk = connect(&server);
        let (sum, refused, echo, panicked) = desk.batch(|desk| {
            (desk.add(3, 5), desk.withdraw(101), desk.echo("hello".to_owned()), desk.fail("on purpose".to_owned()))
        });
        assert_eq!(sum.join().expect("a sum"), 8);
        assert!(matches!(refused.join(), Err(CallError::Application(_))));
        assert_eq!(echo.join().expect("an echo"), "hello");
        assert!(matches!(panicked.join(), Err(CallError::HandlerPanicked { .. })));
    });
}

#[test]
fn nothing_leaves_before_all_are_there() {
    on_one_worker(|| {
        let (server, counter) = serve();
        let desk = connect(&server);
        // The writer's fiber has begun, and waits.
        assert_eq!(desk.add(3, 5).expect("a sum"), 8);
        let passes = desk.batch(|desk| {
            let passes: Vec<_> = (0..10).map(|_| desk.pass()).collect();
            // Whoever else could send or receive has had its turns.
            for _ in 0..100 {
                fibra::yield_now();
            }
            assert_eq!(counter.turnstile.entered(), 0);
            passes
        });
        counter.turnstile.wait_for(10);
        counter.turnstile.open();
        passes.into_iter().try_for_each(Pending::join).expect("all pass");
    });
}

#[test]
fn more_than_there_is_room_for_goes_out_in_parts() {
    on_two_workers(|| {
        let mut limits = Limits::default();
        (limits.in_flight, limits.window, limits.buffered_bytes) = (64, 16, 1024);
        let (server, _counter) = serve();
        let desk = DeskClient::new(Channel::connect_with(server.local_addr(), limits).expect("it listens"));
        let echoes: Vec<_> = desk.batch(|desk| (0..500).map(|n| desk.echo(n.to_string())).collect());
        for (n, echo) in echoes.into_iter().enumerate() {
            assert_eq!(echo.join().expect("an echo"), n.to_string());
        }
    });
}

#[test]
fn it_gives_way_to_a_call_that_needs_room() {
    on_one_worker(|| {
        let mut limits = Limits::default();
        limits.buffered_bytes = 1024;
        let (server, counter) = serve();
        // Without a keepalive, for which its fiber wakes from time to time.
        let builder = Channel::builder().limits(limits).keepalive(None);
        let desk = DeskClient::new(builder.connect(server.local_addr()).expect("it listens"));
        // The writer's fiber has begun, and waits.
        assert_eq!(desk.add(3, 5).expect("a sum"), 8);
        let echo = desk.batch(|batch| {
            let echo = batch.echo("x".repeat(2000));
            desk.within(Duration::from_secs(5)).pass_unseen().expect("the echo leaves");
            echo
        });
        counter.turnstile.wait_for(1);
        counter.turnstile.open();
        assert_eq!(echo.join().expect("an echo").len(), 2000);
    });
}

/// A call with streams waits for a place that the batch has taken.
#[test]
fn and_to_one_that_streams() {
    on_one_worker(|| {
        let mut limits = Limits::default();
        limits.in_flight = 2;
        let (server, _spring, _) = streams::serve();
        let builder = Channel::builder().limits(limits).keepalive(None);
        let channel = builder.connect(server.local_addr()).expect("it listens");
        let (desk, tap) = (DeskClient::new(channel.clone()), TapClient::new(channel).within(Duration::from_secs(5)));
        assert_eq!(desk.add(3, 5).expect("a sum"), 8);
        let sums = desk.batch(|desk| {
            let sums = [desk.add(1, 2), desk.add(3, 4)];
            assert_eq!(tap.sum().expect("there is a place in the end").finish().expect("a sum"), 0);
            sums
        });
        assert_eq!(sums.map(|sum| sum.join().expect("a sum")), [3, 7]);
    });
}

/// Who only looks whether one of its calls has ended would look for ever.
#[test]
fn and_to_who_looks_at_one_of_its_calls() {
    on_one_worker(|| {
        let (server, _counter) = serve();
        // Without a keepalive, for which the writer's fiber wakes from time to time.
        let channel = Channel::builder().keepalive(None).connect(server.local_addr()).expect("it listens");
        let desk = DeskClient::new(channel).within(Duration::from_secs(5));
        assert_eq!(desk.add(3, 5).expect("a sum"), 8);
        let sum = desk.batch(|desk| {
            let mut sum = desk.add(1, 2);
            loop {
                if let Some(result) = sum.try_join() {
                    return result;
                }
                fibra::yield_now();
            }
        });
        assert_eq!(sum.expect("a sum"), 3);
    });
}
