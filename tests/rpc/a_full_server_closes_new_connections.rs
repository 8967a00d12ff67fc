//! With as many connections as there may be, a new one is closed at once, with a warning; a free place is taken again.

use fibra::rpc::{ConnectError, Server};

use crate::support::{DeskClient, connect, log, on_one_worker, serve_with, wait_until};

#[test]
fn the_client_is_told() {
    let ((), log) = log::capture(|| {
        on_one_worker(|| {
            let (server, _) = serve_with(Server::builder().connections_max(1));
            let first = connect(&server);
            assert_eq!(first.add(3, 5).expect("a sum"), 8);

            let error = DeskClient::connect(server.local_addr()).expect_err("one too many");
            assert!(matches!(error, ConnectError::Closed { .. }), "{error:?}");

            drop(first);
            wait_until(|| server.connections() == 0);
            assert_eq!(connect(&server).add(3, 5).expect("a sum"), 8);
        });
    });
    assert!(log.iter().any(|line| line.contains("as many as there may be")), "{log:?}");
}
