//! Clients of JSON-RPC that others wrote work as they are: Python's, an editor's, and Go's.

use std::process::Command;

use crate::support::clients::{find, output_of, run_python};
use crate::support::{on_one_worker, serve};

#[test]
fn jsonrpcclient() {
    on_one_worker(|| {
        let (server, _) = serve();
        if let Some(told) = run_python("json_rpc_by_socket.py", &server) {
            assert_eq!(told, "jsonrpcclient: ok\n");
        }
    });
}

#[test]
fn an_editors_client_of_language_servers() {
    on_one_worker(|| {
        let (server, _) = serve();
        if let Some(told) = run_python("language_client.py", &server) {
            assert_eq!(told, "pygls: ok\n");
        }
    });
}

#[test]
fn gos_library() {
    on_one_worker(|| {
        let (server, _) = serve();
        let Some(go) = find("go") else { return };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dialects/clients/go/main.go");
        let addr = server.local_addr();
        let mut command = Command::new(go);
        command.args(["run", script]).arg(addr.ip().to_string()).arg(addr.port().to_string());
        assert_eq!(output_of(command), "go: ok\n");
    });
}
