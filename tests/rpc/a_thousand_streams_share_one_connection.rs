//! A thousand streams at a time on one connection, each in order, beside plain calls.

use crate::support::{connect, join, on_two_workers, streams};

#[test]
fn each_gets_its_own() {
    on_two_workers(|| {
        let (server, _tap, proxy) = streams::serve();
        let desk = connect(&server);
        let callers: Vec<_> = (0..1_000_i64)
            .map(|caller| {
                let proxy = proxy.clone();
                fibra::spawn(move || {
                    let mut shout = proxy.shout().expect("it begins");
                    // All have begun before any ends.
                    for round in 0..10 {
                        let line = format!("caller {caller} round {round}");
                        shout.send(line.clone()).expect("the handler takes it");
                        assert_eq!(shout.recv().expect("an answer"), Some(line.to_uppercase()));
                    }
                    assert_eq!(shout.finish().expect("how many"), 10);
                })
            })
            .collect();
        for number in 0..100 {
            assert_eq!(desk.add(number, 1).expect("a sum"), number + 1);
        }
        callers.into_iter().for_each(join);
        assert_eq!(proxy.channel().stats().connections, 1);
        assert_eq!(proxy.channel().stats().in_flight, 0);
    });
}

#[test]
fn a_thousand_that_are_not_taken_hold_up_no_call() {
    on_two_workers(|| {
        let (server, _tap, proxy) = streams::serve();
        let held: Vec<_> = (0..1_000)
            .map(|_| {
                let mut numbers = proxy.count(u64::MAX).expect("it begins");
                assert_eq!(numbers.recv().expect("a number"), Some(0));
                numbers
            })
            .collect();
        let sum = proxy.sum().expect("it begins");
        sum.send(3).expect("it is taken");
        assert_eq!(sum.finish().expect("a sum"), 3);
        assert_eq!(connect(&server).add(3, 5).expect("a sum"), 8);
        drop(held);
    });
}
