//! What an open connection that has nothing to say takes at the server: before its first call, and with the reply to that kept.
//!
//! Measured in a process that has only that end of them; the other ends are in another, which may open as many descriptors, too.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use crate::support::raw::{Raw, Session, add};
use crate::support::{on_one_worker, serve, wait_until};

const NAME: &str = "an_idle_connection_takes_little_memory::called_or_not";
const ROLE: &str = "FIBRA_TEST_IDLE";

/// As many before it is measured first as after: what grows by doubling has done so.
const CONNECTIONS: usize = 2_048;

const DESCRIPTORS: usize = 2 * CONNECTIONS + 100;

/// In bytes, all included: the socket, its place in the reactor, the connection, and the session with the reply.
const LIMIT: usize = 512;

#[test]
fn called_or_not() {
    match std::env::var(ROLE).as_deref() {
        Ok("server") => serve_until_told(),
        Ok(_) => connect_all(),
        Err(_) => {
            let limit = format!("ulimit -n {DESCRIPTORS}");
            if !Command::new("sh").args(["-c", &limit]).status().expect("a shell").success() {
                println!("skipped: this process may not have {DESCRIPTORS} descriptors");
                return;
            }
            let run = Command::new("sh")
                .args(["-c", &format!("{limit} && exec \"$0\" \"$@\"")])
                .arg(std::env::current_exe().expect("this one"))
                .args([NAME, "--exact", "--nocapture"])
                .env(ROLE, "client")
                .output()
                .expect("a shell");
            let output = String::from_utf8_lossy(&run.stdout);
            let errors = String::from_utf8_lossy(&run.stderr);
            assert!(run.status.success() && output.contains("1 passed"), "{output}\n{errors}");
            println!("{output}");
        }
    }
}

fn connect_all() {
    let mut server = ServerProcess::start();
    on_one_worker(|| {
        let mut peers = Vec::new();
        let mut resident = [0; 2];
        for batch in [0, 1] {
            for client in (0..).skip(peers.len()).take(CONNECTIONS) {
                let mut raw = Raw::connect_only(server.addr);
                raw.open(&Session { client, ..Session::default() });
                if client == 0 {
                    // What is needed once is not counted.
                    raw.send(&add(1, 3, 5));
                    raw.receive().expect("a sum");
                }
                peers.push(raw);
            }
            resident[batch] = server.resident(peers.len());
        }
        let [before, opened] = resident;
        for peer in &mut peers[1..] {
            peer.send(&add(1, 3, 5));
            peer.receive().expect("a sum");
        }
        let called = server.resident(peers.len());
        let uncalled = opened.saturating_sub(before) / CONNECTIONS;
        let called = uncalled + called.saturating_sub(opened) / peers.len();
        println!("{uncalled} B for each that was opened, {called} B once it was called on");
        assert!(uncalled <= LIMIT && called <= LIMIT, "{uncalled} B, {called} B");
    });
}

/// The server, which ends when this is dropped.
struct ServerProcess {
    process: Child,
    output: BufReader<std::process::ChildStdout>,
    addr: std::net::SocketAddr,
}

impl ServerProcess {
    fn start() -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this one"))
            .args([NAME, "--exact", "--nocapture"])
            .env(ROLE, "server")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut output = BufReader::new(process.stdout.take().expect("it has one"));
        let addr = answer(&mut output, "address ").parse().expect("an address");
        Self { process, output, addr }
    }

    /// How many bytes of its own it has in use, once it has so many connections.
    fn resident(&mut self, connections: usize) -> usize {
        let input = self.process.stdin.as_mut().expect("it has one");
        writeln!(input, "{connections}").expect("it reads");
        answer(&mut self.output, "resident ").parse::<usize>().expect("a number") * 1024
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

fn serve_until_told() {
    on_one_worker(|| {
        let (server, _) = serve();
        println!("address {}", server.local_addr());
        let lines = || std::io::stdin().lines().next().and_then(Result::ok);
        while let Some(line) = fibra::blocking(lines).expect("a thread that reads") {
            let connections: usize = line.parse().expect("a number");
            wait_until(|| server.connections() == connections && fibra::counters().live == 3);
            let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
            let resident = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("it is there");
            println!("resident {}", resident.trim().trim_end_matches(" kB"));
        }
    });
}

/// The rest of the line that holds `label`, behind whatever the test harness prints.
fn answer(output: &mut impl BufRead, label: &str) -> String {
    let mut lines = output.lines().map(|line| line.expect("text"));
    lines.find_map(|line| Some(line.split_once(label)?.1.to_owned())).expect("the server answers")
}
