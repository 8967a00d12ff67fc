//! A call that takes long has a place in its session's window, and no more: however many calls come after it, it holds up none, and has its one run.

use std::time::Duration;

use fibra::rpc::{Channel, Limits};

use crate::support::proxy::Proxy;
use crate::support::{DeskClient, on_one_worker, serve, wait_until};

const WINDOW: usize = 8;

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.window = WINDOW;
    limits
}

#[test]
fn however_many_come_after_it() {
    on_one_worker(|| {
        let (server, counter) = serve();
        let desk = DeskClient::new(Channel::connect_with(server.local_addr(), limits()).expect("it listens"));
        let hasty = desk.within(Duration::from_secs(5));
        // All places but one.
        let slow: Vec<_> = (1..WINDOW).map(|_| desk.start().pass()).collect();
        counter.turnstile.wait_for(WINDOW - 1);
        for round in 0..200_u64 {
            assert_eq!(hasty.echo(round.to_string()).expect("it is not held up"), round.to_string());
        }
        counter.turnstile.open();
        slow.into_iter().for_each(|slow| slow.join().expect("it passes"));
        assert_eq!(counter.turnstile.entered(), WINDOW - 1);
        // The places are free again.
        let echoes: Vec<_> = (0..4 * WINDOW).map(|_| hasty.start().echo("all".to_owned())).collect();
        echoes.into_iter().for_each(|echo| assert_eq!(echo.join().expect("an echo"), "all"));
    });
}

#[test]
fn and_whatever_becomes_of_its_connection() {
    on_one_worker(|| {
        let (server, counter) = serve();
        let proxy = Proxy::to(server.local_addr());
        let desk = DeskClient::new(Channel::connect_with(proxy.addr(), limits()).expect("it listens"));
        let hasty = desk.within(Duration::from_secs(5));
        let slow: Vec<_> = (0..3).map(|_| desk.start().pass()).collect();
        counter.turnstile.wait_for(3);
        for round in 0..5_u64 {
            for _ in 0..20 {
                assert_eq!(hasty.withdraw(round).expect("it is not held up"), 100 - round);
            }
            proxy.cut();
            wait_until(|| !desk.channel().is_connected());
        }
        assert_eq!(hasty.withdraw(1).expect("on the next connection"), 99);
        counter.turnstile.open();
        slow.into_iter().for_each(|slow| slow.join().expect("it passes"));
        assert_eq!(counter.turnstile.entered(), 3, "once each");
    });
}
