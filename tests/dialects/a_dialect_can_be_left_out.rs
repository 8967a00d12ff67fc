//! A port speaks what it was told to, and closes what else comes.

use fibra::rpc::Server;
use fibra::rpc::dialect::Dialect;

use crate::support::msgpack::request;
use crate::support::peer::Peer;
use crate::support::{connect, log, on_one_worker, serve_with};

/// Bytes that begin a connection of each.
fn begins(dialect: Dialect) -> Vec<u8> {
    match dialect {
        Dialect::MessagePackRpc => request(1, "add", [3.into(), 5.into()]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_by_itself_and_all_at_once() {
    for dialect in Dialect::ALL {
        let builders: [fn(Dialect) -> fibra::rpc::server::Builder; 2] =
            [|dialect| Server::builder().without(dialect), |_| Server::builder().native_only()];
        for builder in builders {
            let ((), log) = log::capture(|| {
                on_one_worker(|| {
                    let (server, _) = serve_with(builder(dialect));
                    let mut peer = Peer::connect(&server);
                    peer.send(begins(dialect));
                    assert_eq!(peer.rest(), b"", "{dialect:?}");
                    assert_eq!(connect(&server).add(3, 5).expect("the native one is spoken"), 8);
                });
            });
            let told = format!("does not speak {}", dialect.name());
            assert!(log.iter().any(|line| line.contains(&told)), "{log:?}");
        }
    }
}

#[test]
fn the_others_are_spoken() {
    on_one_worker(|| {
        let (server, _) = serve_with(Server::builder());
        for dialect in Dialect::ALL {
            let mut peer = Peer::connect(&server);
            peer.send(begins(dialect));
            peer.finish();
            assert!(!peer.rest().is_empty(), "{dialect:?}");
        }
    });
}
