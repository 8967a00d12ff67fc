//! curl, and a client of JSON-RPC over HTTP that others wrote, work as they are.

use std::process::Command;

use fibra::rpc::Server;

use crate::support::clients::{find, output_of, run_python};
use crate::support::{on_one_worker, serve_with};

#[test]
fn curl() {
    on_one_worker(|| {
        let (server, _) = serve_with(Server::builder().metrics());
        let Some(curl) = find("curl") else { return };
        let url = |path: &str| format!("http://{}{path}", server.local_addr());
        let run = |arguments: &[&str]| {
            let mut command = Command::new(&curl);
            command.args(["--silent", "--show-error", "--max-time", "20"]).args(arguments);
            output_of(command)
        };
        let json = ["-H", "Content-Type: application/json"];
        let add = url("/calculator/add");
        assert_eq!(run(&[&json[..], &["-d", r#"{"a": 3, "b": 5}"#, &add]].concat()), "8");
        // Twice on one connection, and in chunks.
        let chunked = ["-H", "Transfer-Encoding: chunked", "-d", "[3, 5]", &add, &add];
        assert_eq!(run(&[&json[..], &chunked].concat()), "88");
        let request = r#"{"jsonrpc": "2.0", "method": "calculator.add", "params": [3, 5], "id": 1}"#;
        assert_eq!(run(&[&json[..], &["-d", request, &url("/")]].concat()), r#"{"jsonrpc":"2.0","result":8,"id":1}"#);
        assert_eq!(run(&[&url("/healthz")]), "serving\n");
        assert!(run(&[&url("/metrics")]).contains("calculator.add"));
        let status = ["-o", "/dev/null", "-w", "%{http_code}"];
        assert_eq!(run(&[&status[..], &["-I", &url("/healthz")]].concat()), "200");
        assert_eq!(run(&[&status[..], &["-d", "[3, 5]", &add]].concat()), "415");
        // A body for which curl waits to be told to go on.
        let note = format!(r#"{{"text": "{}"}}"#, "x".repeat(2_000_000));
        let file = std::env::temp_dir().join(format!("fibra-curl-{}.json", std::process::id()));
        std::fs::write(&file, &note).expect("there is room");
        let body = format!("@{}", file.display());
        let echoed = run(&[&json[..], &["-d", &body, &url("/calculator/echo")]].concat());
        std::fs::remove_file(&file).expect("it is there");
        assert!(echoed.len() >= 2_000_000, "{} bytes", echoed.len());
    });
}

#[test]
fn jsonrpclib() {
    on_one_worker(|| {
        let (server, _) = serve_with(Server::builder());
        if let Some(told) = run_python("json_rpc_by_http.py", &server) {
            assert_eq!(told, "jsonrpclib: ok\n");
        }
    });
}
