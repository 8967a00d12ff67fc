//! A connection lasts as long as a proxy or channel of it; then its fibers end, here and at the server.

use crate::support::{connect, on_one_worker, serve, wait_until};

#[test]
fn clones_keep_it_open() {
    on_one_worker(|| {
        let (server, _) = serve();
        let proxy = connect(&server);
        let channel = proxy.within(std::time::Duration::from_secs(1)).channel().clone();
        drop(proxy);
        let proxy = crate::support::DeskClient::new(channel);
        assert_eq!(proxy.add(3, 5).expect("still open"), 8);
        assert_eq!(server.connections(), 1);
        drop(proxy);
        wait_until(|| server.connections() == 0);
    });
}
