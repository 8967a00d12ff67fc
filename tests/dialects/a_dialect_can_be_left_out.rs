//! A port speaks what it was told to, and closes what else comes.

use fibra::rpc::Server;
use fibra::rpc::dialect::Dialect;
use fibra::rpc::server::Builder;

use crate::support::msgpack::request;
use crate::support::peer::Peer;
use crate::support::{connect, log, on_one_worker, serve_with};

/// Bytes that begin a connection of each.
fn begins(dialect: Dialect) -> Vec<u8> {
    match dialect {
        Dialect::MessagePackRpc => request(1, "add", [3.into(), 5.into()]),
        Dialect::JsonRpc => br#"{"jsonrpc":"2.0","method":"add","params":[3,5],"id":1}"#.to_vec(),
        Dialect::GoJsonRpc => br#"{"method":"Calculator.Add","params":[[3,5]],"id":1}"#.to_vec(),
        Dialect::ContentLength => {
            b"Content-Length: 54\r\n\r\n{\"jsonrpc\":\"2.0\",\"method\":\"add\",\"params\":[3,5],\"id\":1}".to_vec()
        }
        Dialect::Http => b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
        other => panic!("{other:?}"),
    }
}

/// What it is answered on a port of that kind, and the warnings of that.
fn answer(builder: Builder, dialect: Dialect) -> (Vec<u8>, Vec<String>) {
    log::capture(|| {
        on_one_worker(|| {
            let (server, _) = serve_with(builder);
            let mut peer = Peer::connect(&server);
            peer.send(begins(dialect));
            // Who is closed may be so before.
            let _ = peer.stream.shutdown(std::net::Shutdown::Write);
            let answer = peer.rest();
            assert_eq!(connect(&server).add(3, 5).expect("the native one is spoken"), 8);
            answer
        })
    })
}

#[test]
fn each_by_itself() {
    for dialect in Dialect::ALL {
        let (told, log) = answer(Server::builder().without(dialect), dialect);
        if matches!(dialect, Dialect::JsonRpc | Dialect::GoJsonRpc) {
            // The other of the two is spoken: it is each request that is none.
            assert!(String::from_utf8_lossy(&told).contains("-32600"), "{dialect:?}");
            continue;
        }
        assert_eq!(told, b"", "{dialect:?}");
        let why = format!("does not speak {}", dialect.name());
        assert!(log.iter().any(|line| line.contains(&why)), "{log:?}");
    }
}

#[test]
fn all_at_once() {
    for dialect in Dialect::ALL {
        let (told, log) = answer(Server::builder().native_only(), dialect);
        assert_eq!(told, b"", "{dialect:?}");
        assert!(log.iter().any(|line| line.contains("does not speak")), "{log:?}");
    }
}

#[test]
fn the_others_are_spoken() {
    for left_out in Dialect::ALL {
        for dialect in Dialect::ALL.into_iter().filter(|&dialect| dialect != left_out) {
            let (told, log) = answer(Server::builder().without(left_out), dialect);
            let told = String::from_utf8_lossy(&told);
            assert!(!told.is_empty() && !told.contains("-32600"), "{dialect:?} without {left_out:?}: {told}");
            assert!(log.is_empty(), "{log:?}");
        }
    }
}
