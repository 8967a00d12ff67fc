//! While one handler waits, the others on its connection run: the reader's role changes hands.

use crate::support::{connect, join, on_one_worker, serve};

#[test]
fn later_calls_overtake_one_that_waits() {
    on_one_worker(|| {
        let (server, counter) = serve();
        let proxy = connect(&server);
        let waiting: Vec<_> = (0..10)
            .map(|_| {
                let proxy = proxy.clone();
                fibra::spawn(move || proxy.pass())
            })
            .collect();
        counter.turnstile.wait_for(10);

        assert_eq!(proxy.add(3, 5).expect("it does not wait for the others"), 8);
        assert_eq!(proxy.channel().stats().in_flight, 10);

        counter.turnstile.open();
        for call in waiting {
            join(call).expect("it goes on");
        }
        assert_eq!(proxy.add(3, 5).expect("the last role holder reads on"), 8);
    });
}
