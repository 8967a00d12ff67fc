//! A process that is told to end by SIGTERM answers what is under way, and then returns from its `main`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fibra::rpc::Server;

use crate::support::raw::{self, GOAWAY, REPLY, Raw};
use crate::support::{on_one_worker, on_two_workers, serve_with};

const CHILD: &str = "FIBRA_TEST_SIGTERM";

/// What the child does: it says where it listens and when its one call has begun, which ends when the child is told so.
fn serve_until_sigterm(timeout: Duration) {
    let (server, counter) = on_two_workers(|| {
        let (server, counter) = serve_with(Server::builder().drain_on_sigterm(timeout));
        println!("\nlistens on {}", server.local_addr());
        let opening = {
            let counter = counter.clone();
            std::thread::spawn(move || {
                counter.turnstile.wait_for(1);
                println!("\nhas begun");
                std::io::stdin().read_line(&mut String::new()).expect("until the end");
                counter.turnstile.open();
            })
        };
        server.wait().expect("it was told to stop");
        println!("\nhas ended");
        drop(opening);
        (server, counter)
    });
    drop((server, counter));
}

struct Served {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Served {
    fn start(test: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("own path"))
            .args([&format!("a_sigterm_drains_its_server::{test}"), "--exact", "--nocapture"])
            .env(CHILD, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start the child");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, lines }
    }

    /// What follows `start` in the next line that begins so.
    fn says(&mut self, start: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).expect("text") > 0, "it does not say `{start}`");
            if let Some(rest) = line.strip_prefix(start) {
                return rest.trim().to_owned();
            }
        }
    }

    fn connect(&mut self) -> Raw {
        Raw::connect(self.says("listens on ").parse().expect("an address"))
    }

    fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
    }
}

#[test]
fn and_what_is_under_way_is_answered() {
    if std::env::var_os(CHILD).is_some() {
        return serve_until_sigterm(Duration::from_secs(60));
    }
    on_one_worker(|| {
        let mut served = Served::start("and_what_is_under_way_is_answered");
        let mut client = served.connect();
        client.send(&raw::call(1, Duration::from_secs(60), "desk.pass", &[0x90]));
        served.says("has begun");
        served.terminate();
        assert_eq!(client.receive().map(|(kind, ..)| kind), Some(GOAWAY));
        served.child.stdin.take().expect("piped").write_all(b"go on\n").expect("it reads");
        assert_eq!(client.receive().map(|(kind, xid, _)| (kind, xid)), Some((REPLY, 1)));
        drop(client);
        served.says("has ended");
        assert!(served.child.wait().expect("the child").success());
    });
}

#[test]
fn and_a_second_one_does_not_wait() {
    if std::env::var_os(CHILD).is_some() {
        return serve_until_sigterm(Duration::from_secs(3600));
    }
    on_one_worker(|| {
        let mut served = Served::start("and_a_second_one_does_not_wait");
        let mut client = served.connect();
        client.send(&raw::call(1, Duration::from_secs(60), "desk.pass", &[0x90]));
        served.says("has begun");
        served.terminate();
        assert_eq!(client.receive().map(|(kind, ..)| kind), Some(GOAWAY));
        served.terminate();
        assert_eq!(client.receive(), None, "it was cut");
        served.says("has ended");
        drop(served.child.stdin.take());
        assert!(served.child.wait().expect("the child").success());
    });
}
