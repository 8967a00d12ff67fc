//! Python's clients of MessagePack-RPC work as they are.

use crate::support::clients::run_python;
use crate::support::{on_one_worker, serve};

#[test]
fn pynvims_session() {
    on_one_worker(|| {
        let (server, _) = serve();
        if let Some(told) = run_python("pynvim_session.py", &server) {
            assert_eq!(told, "pynvim: ok\n");
        }
    });
}

#[test]
fn messages_packed_by_msgpack() {
    on_one_worker(|| {
        let (server, _) = serve();
        if let Some(told) = run_python("msgpack_by_hand.py", &server) {
            assert_eq!(told, "msgpack: ok\n");
        }
    });
}
