//! A peer that opens sessions and leaves them makes the server remember that they have been, and little else.
//!
//! Measured in a process of its own, whose memory only the server's sessions add to: the peer is this one.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use fibra::rpc::Server;

use crate::support::raw::{Raw, Session, add};
use crate::support::{on_one_worker, serve_with};

const NAME: &str = "sessions_that_are_left_take_little_memory::one_or_many";
const INSIDE: &str = "FIBRA_TEST_SESSIONS";

/// As many before it is measured first as after: what grows by doubling has done so.
const SESSIONS: u128 = 4_096;

/// In bytes: a place among the clients, and what of the index is its, come to about 80. Of its secret, 255 bytes, nothing is kept but a hash.
const LIMIT: usize = 256;

#[test]
fn one_or_many() {
    if std::env::var_os(INSIDE).is_some() {
        return serve_until_told();
    }
    let mut server = Command::new(std::env::current_exe().expect("this one"))
        .args([NAME, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let mut output = BufReader::new(server.stdout.take().expect("it has one"));
    let mut input = server.stdin.take().expect("it has one");
    let addr = answer(&mut output, "address ").parse().expect("an address");
    on_one_worker(|| {
        let mut measure = |sessions: std::ops::Range<u128>| -> usize {
            for client in sessions {
                let mut raw = Raw::connect_only(addr);
                raw.open(&Session { client, secret: vec![7; 255], ..Session::default() });
                raw.send(&add(1, 3, 5));
                raw.receive().expect("a sum");
            }
            writeln!(input, "measure").expect("it reads");
            answer(&mut output, "resident ").parse().expect("a number")
        };
        let before = measure(0..SESSIONS);
        let after = measure(SESSIONS..2 * SESSIONS);
        let each = after.saturating_sub(before) * 1024 / usize::try_from(SESSIONS).expect("few");
        println!("{each} B for each session that was left");
        assert!(each <= LIMIT, "{each} B for each session that was left");
    });
    drop(input);
    assert!(server.wait().expect("it ends").success());
}

fn serve_until_told() {
    on_one_worker(|| {
        // They end as they are left.
        let (server, _) = serve_with(Server::builder().session_lease(Duration::ZERO));
        println!("address {}", server.local_addr());
        let measure = || {
            for line in std::io::stdin().lines() {
                line.expect("a line");
                let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
                let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is there");
                println!("resident {}", resident.trim().trim_end_matches(" kB"));
            }
        };
        fibra::blocking(measure).expect("it reads to the end");
    });
}

/// The rest of the line that holds `label`, behind whatever the test harness prints.
fn answer(output: &mut impl BufRead, label: &str) -> String {
    let mut lines = output.lines().map(|line| line.expect("text"));
    lines.find_map(|line| Some(line.split_once(label)?.1.to_owned())).expect("the server answers")
}
