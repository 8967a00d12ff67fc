//! Items travel from the client, from the server, and both ways, in order, and the value comes behind them.

use crate::support::{join, on_one_worker, on_two_workers, streams};

#[test]
fn the_client_sends() {
    on_one_worker(|| {
        let (_server, _tap, proxy) = streams::serve();
        let sum = proxy.sum().expect("it begins");
        for number in 1..=10_000 {
            sum.send(number).expect("the handler takes it");
        }
        assert_eq!(sum.finish().expect("a sum"), 50_005_000);
        let nothing = proxy.sum().expect("it begins");
        assert_eq!(nothing.finish().expect("a sum"), 0);
    });
}

#[test]
fn the_server_sends() {
    on_one_worker(|| {
        let (_server, _tap, proxy) = streams::serve();
        let mut numbers = proxy.count(100_000).expect("it begins");
        let came: Vec<_> = numbers.by_ref().map(|number| number.expect("a number")).collect();
        assert_eq!(came, (0..100_000).collect::<Vec<_>>());
        assert_eq!(numbers.finish().expect("how many"), 100_000);
    });
}

#[test]
fn both_send_in_turn() {
    on_one_worker(|| {
        let (_server, _tap, proxy) = streams::serve();
        let mut shout = proxy.shout().expect("it begins");
        for line in ["a", "be", "sea"] {
            shout.send(line.to_owned()).expect("the handler takes it");
            assert_eq!(shout.recv().expect("an answer"), Some(line.to_uppercase()));
        }
        assert_eq!(shout.finish().expect("how many"), 3);
    });
}

#[test]
fn both_send_at_once_on_two_fibers() {
    on_two_workers(|| {
        let (_server, _tap, proxy) = streams::serve();
        let (lines, mut answers) = proxy.shout().expect("it begins").split();
        let sender = fibra::spawn(move || {
            for number in 0..20_000 {
                lines.send(format!("line {number}")).expect("the handler takes it");
            }
            lines.finish();
        });
        for number in 0..20_000 {
            assert_eq!(answers.recv().expect("an answer"), Some(format!("LINE {number}")));
        }
        assert_eq!(answers.recv().expect("the end"), None);
        assert_eq!(answers.finish().expect("how many"), 20_000);
        join(sender);
    });
}

#[test]
fn a_plain_thread_may_hold_the_other_end() {
    on_one_worker(|| {
        let (_server, _tap, proxy) = streams::serve();
        let thread = std::thread::spawn(move || {
            let (lines, answers) = proxy.shout().expect("it begins").split();
            let sender = std::thread::spawn(move || {
                (0..1_000).for_each(|number| lines.send(format!("l{number}")).expect("the handler takes it"));
                lines.finish();
            });
            let count = answers.inspect(|answer| assert!(answer.is_ok(), "{answer:?}")).count();
            sender.join().expect("it sends all");
            count
        });
        assert_eq!(fibra::blocking(move || thread.join().expect("no panic")).expect("a thread for it"), 1_000);
    });
}
