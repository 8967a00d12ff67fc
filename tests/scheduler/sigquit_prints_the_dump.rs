use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::{Builder, driver, runtime};
use rustix::process::{Pid, Signal, kill_process};

const CHILD: &str = "FIBRA_TEST_SIGQUIT";

#[inline(never)]
fn waits_for_somebody() {
    park::park(Reason::Parked);
}

/// Says that it is ready, and ends when its standard input does.
fn child() {
    let runtime = runtime::Builder::new(driver::idle).workers(2).dump_on_sigquit(true).start().expect("a runtime");
    let (sender, receiver) = std::sync::mpsc::channel();
    runtime
        .spawn(move || {
            drop(Builder::new().name("patient").spawn_local(move || {
                sender.send(()).expect("the receiver waits");
                waits_for_somebody();
            }));
        })
        .expect("room");
    receiver.recv().expect("sent");
    println!("\nready");
    std::io::stdin().read_to_end(&mut Vec::new()).expect("until the end");
    println!("went on");
}

#[test]
fn sigquit_prints_the_dump() {
    if std::env::var_os(CHILD).is_some() {
        return child();
    }
    let mut child = Command::new(std::env::current_exe().expect("own path"))
        .args(["sigquit_prints_the_dump::sigquit_prints_the_dump", "--exact", "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start the child");
    let mut stdin = child.stdin.take().expect("piped");
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    while line != "ready\n" {
        line.clear();
        assert_ne!(stdout.read_line(&mut line).expect("text"), 0, "the child has ended early");
    }
    for _ in 0..2 {
        kill_process(Pid::from_child(&child), Signal::QUIT).expect("signal the child");
        let mut dump = String::new();
        while !dump.contains("patient") || !dump.contains("waits_for_somebody") {
            assert_ne!(stderr.read_line(&mut dump).expect("text"), 0, "the child has ended: {dump}");
        }
    }
    stdin.flush().expect("a pipe");
    drop(stdin);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).expect("text");
    assert!(rest.contains("went on"), "{rest}");
    assert!(child.wait().expect("the child").success());
}
