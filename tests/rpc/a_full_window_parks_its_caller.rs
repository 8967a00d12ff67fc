//! A session has no more calls outstanding than its window; the next caller waits, and idempotent calls pass by.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fibra::rpc::{CallError, Channel, Executed, Limits, Server};

use crate::support::{DeskClient, join, on_one_worker, serve, serve_with};

fn window_of_three() -> Limits {
    let mut limits = Limits::default();
    limits.window = 3;
    limits
}

fn parks(of_server: Limits, of_client: Limits) {
    on_one_worker(|| {
        let (server, counter) = serve_with(Server::builder().limits(of_server));
        let channel = Channel::connect_with(server.local_addr(), of_client).expect("the server listens");
        let desk = DeskClient::new(channel);
        let calls: Vec<_> = (0..10)
            .map(|_| {
                let desk = desk.clone();
                fibra::spawn(move || desk.pass())
            })
            .collect();
        counter.turnstile.wait_for(3);
        let error = desk.within(Duration::from_millis(20)).pass().expect_err("the window is full");
        assert!(matches!(error, CallError::Timeout { .. }), "{error:?}");
        assert_eq!(error.executed(), Executed::No);
        assert_eq!(desk.add(3, 5).expect("none of the session"), 8);
        assert_eq!(counter.turnstile.entered(), 3);

        counter.turnstile.open();
        for call in calls {
            join(call).expect("its turn comes");
        }
        assert_eq!(counter.turnstile.entered(), 10);
    });
}

#[test]
fn of_the_client() {
    parks(Limits::default(), window_of_three());
}

#[test]
fn of_the_server() {
    parks(window_of_three(), Limits::default());
}

/// Who has been answered calls again at once, and is there before those who wait. That goes well for a while, not for ever.
#[test]
fn but_passes_nobody_over_for_ever() {
    for (in_flight, window, callers) in [(2, 512, 4), (1024, 2, 4), (4, 512, 8), (1024, 8, 16)] {
        on_one_worker(|| {
            let (server, _counter) = serve();
            let mut limits = Limits::default();
            (limits.in_flight, limits.window) = (in_flight, window);
            let desk = DeskClient::new(Channel::connect_with(server.local_addr(), limits).expect("it listens"));
            let made = Arc::new(AtomicUsize::new(0));
            let callers: Vec<_> = (0..callers)
                .map(|_| {
                    let (desk, made) = (desk.clone(), Arc::clone(&made));
                    fibra::spawn(move || {
                        let mut own = 0;
                        while made.fetch_add(1, Ordering::Relaxed) < 1_000 * callers {
                            desk.echo(String::new()).expect("an echo");
                            own += 1;
                        }
                        own
                    })
                })
                .collect();
            let shares: Vec<u32> = callers.into_iter().map(join).collect();
            assert!(shares.iter().all(|share| *share > 500), "{in_flight} {window}: {shares:?}");
        });
    }
}
