//! Every RPC peer's client gets correct answers from its server, whatever the shape: each client checks each sum.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{self, Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// A process of the comparison, killed when dropped.
struct Process {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Process {
    fn start(arguments: &[&str], input: Stdio) -> Process {
        let mut child = Command::new(env!("CARGO_BIN_EXE_fibra-compare"))
            .args(arguments)
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Process { child, out }
    }

    /// A server, and where it listens. `None`, and a reason printed, if this machine has not got what builds it.
    fn server(peer: &str) -> Option<(Process, String)> {
        let mut server = Process::start(&["serve-rpc", peer], Stdio::null());
        let address = server.line();
        if address.is_empty() {
            let reason = server.last_words();
            assert!(peer.starts_with("go"), "{peer} does not start: {reason}");
            println!("{peer} is skipped: {reason}");
            return None;
        }
        Some((server, address))
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn last_words(&mut self) -> String {
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        said
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Client {
    process: Process,
    orders: ChildStdin,
}

impl Client {
    fn start(peer: &str, server: &str) -> Client {
        let parent = process::id().to_string();
        let mut process = Process::start(&["call", peer, "--server", server, "--parent", &parent], Stdio::piped());
        let orders = process.child.stdin.take().unwrap();
        Client { process, orders }
    }

    fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
    }

    fn is_done(&mut self) {
        let line = self.process.line();
        if line != "done" {
            panic!("{line}{}", self.process.last_words());
        }
    }
}

fn calls(peer: &str) {
    let Some((_server, address)) = Process::server(peer) else { return };
    let mut client = Client::start(peer, &address);
    client.order(r#"{"Connect":{"total":3}}"#);
    client.is_done();
    client.order(r#"{"Exchange":{"calls":100,"callers":{"number":7,"outstanding":1}}}"#);
    client.is_done();
    client.order(r#"{"Connect":{"total":4}}"#);
    client.is_done();
    client.order(r#"{"Start":{"callers":{"number":1,"outstanding":256}}}"#);
    client.order(r#""Count""#);
    client.is_done();
    // More are made meanwhile, but none is needed: what is counted is what was answered until now.
    client.order(r#""Stop""#);
    let counted = client.process.line();
    assert!(counted.contains("per_second") && counted.contains("p50_us"), "{peer}: {counted}");
    // And once more: what was left over would be taken for an answer.
    client.order(r#"{"Exchange":{"calls":10,"callers":{"number":1,"outstanding":4}}}"#);
    client.is_done();
}

#[test]
fn the_floor_answers() {
    calls("floor");
}

#[test]
fn the_floor_answers_fibras_client() {
    calls("floor-proxy");
}

#[test]
fn fibra_answers() {
    calls("fibra");
}

#[test]
fn fibra_answers_the_bare_client() {
    calls("fibra-raw");
}

#[test]
fn fibra_answers_the_bare_clients_idempotent_calls() {
    calls("fibra-idempotent");
}

#[test]
fn tarpc_answers_by_bincode() {
    calls("tarpc-bincode");
}

#[test]
fn tarpc_answers_by_json() {
    calls("tarpc-json");
}

#[test]
fn tonic_answers() {
    calls("tonic");
}

#[test]
fn go_answers_by_gob() {
    calls("go-gob");
}

#[test]
fn go_answers_by_json() {
    calls("go-json");
}

#[test]
fn the_floor_ends_a_connection_that_is_none_of_fibras() {
    let (_server, address) = Process::server("floor").unwrap();
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    match stream.read(&mut [0]) {
        Ok(0) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        other => panic!("{other:?}"),
    }
}
