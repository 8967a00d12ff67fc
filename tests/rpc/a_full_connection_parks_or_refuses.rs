//! With as many calls in flight as there may be, a client's next caller waits, and a server refuses.

use fibra::rpc::{CallError, Channel, Executed, Limits, Server};

use crate::support::{DeskClient, connect, join, on_one_worker, serve, serve_with, wait_until};

fn three_in_flight() -> Limits {
    let mut limits = Limits::default();
    limits.in_flight = 3;
    limits
}

#[test]
fn a_client_parks_the_caller() {
    on_one_worker(|| {
        let (server, counter) = serve();
        let channel = Channel::connect_with(server.local_addr(), three_in_flight()).expect("the server listens");
        let proxy = DeskClient::new(channel);
        let calls: Vec<_> = (0..10)
            .map(|_| {
                let proxy = proxy.clone();
                fibra::spawn(move || proxy.pass())
            })
            .collect();
        counter.turnstile.wait_for(3);
        let gave_up = proxy.within(std::time::Duration::from_millis(20)).add(3, 5).expect_err("no place came free");
        assert!(matches!(gave_up, CallError::Timeout { .. }), "{gave_up:?}");
        assert_eq!(gave_up.executed(), Executed::No, "it was not sent");
        assert_eq!(counter.turnstile.entered(), 3);

        counter.turnstile.open();
        for call in calls {
            join(call).expect("its turn comes");
        }
        assert_eq!(counter.turnstile.entered(), 10);
    });
}

#[test]
fn a_server_refuses_the_call() {
    on_one_worker(|| {
        let (server, counter) = serve_with(Server::builder().limits(three_in_flight()));
        let proxy = connect(&server);
        let calls: Vec<_> = (0..3)
            .map(|_| {
                let proxy = proxy.clone();
                fibra::spawn(move || proxy.pass())
            })
            .collect();
        counter.turnstile.wait_for(3);

        let error = proxy.add(3, 5).expect_err("one too many");
        assert!(matches!(error, CallError::Overloaded { .. }), "{error:?}");
        assert_eq!(error.executed(), Executed::No);

        counter.turnstile.open();
        for call in calls {
            join(call).expect("it goes on");
        }
        wait_until(|| proxy.add(3, 5).is_ok());
    });
}
