//! A run whose fibers all wait for ever ends with a report; one that anything could still wake goes on.
//!
//! A program of its own, without libtest: that keeps a thread, and a process with a thread that could wake a fiber has no
//! deadlock. Each case is a child process that this program starts from itself.

use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{env, thread};

use fibra_scheduler::dump::Deadlock;
use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::{blocking, driver, runtime, scope, sleep, spawn, yield_now};

const CASE: &str = "FIBRA_TEST_CASE";

/// How long those wait that are woken in the end: long enough that a hasty verdict would come first.
const LATER: Duration = Duration::from_millis(300);

type Case = (&'static str, fn() -> io::Result<()>);

/// They end with a deadlock, and the report contains what is written behind.
const DEADLOCKS: [(Case, &str); 10] = [
    (("one fiber that nobody unparks", || on(1, wait_for_ever)), "'main' on worker 0 waits to be unparked"),
    (("on several workers", || on(4, wait_for_ever)), "1 fiber on 4 workers"),
    (("by joining in a circle", joining_in_a_circle), "deadlock: fiber "),
    (("in a scope", || on(2, || scope(|s| drop(s.spawn(wait_for_ever))))), "waits for the children of its scope"),
    (("after a timer", || on(2, after_a_timer)), "wait_for_ever"),
    (("after a blocking job", || on(2, after_a_blocking_job)), "wait_for_ever"),
    (("after a plain thread has ended", after_a_plain_thread), "wait_for_ever"),
    (("while a thousand fibers wait", a_thousand), "1001 fibers"),
    (("with a fiber on each of many workers", on_each_of_many_workers), "9 fibers on 8 workers"),
    (("with a reactor that has no sockets", || with_reactor(wait_for_ever)), "wait_for_ever"),
];

/// They wait for something that comes, and end well.
const WAITS: [Case; 7] = [
    ("for a timer", || on(2, || sleep(LATER).expect("not cancelled"))),
    ("for a timer of another fiber", for_anothers_timer),
    ("for a plain thread", for_a_plain_thread),
    ("for a plain thread, for long", for_a_plain_thread_again_and_again),
    ("for a blocking job", || on(2, || blocking(|| thread::park_timeout(LATER)).expect("it ran"))),
    ("for a socket of another process", for_a_socket),
    ("for a signal handler", for_a_signal_handler),
];

fn main() {
    let cases = DEADLOCKS.iter().map(|(case, _)| case).chain(&WAITS);
    if let Ok(name) = env::var(CASE) {
        return match cases.into_iter().find(|case| case.0 == name).expect("a case").1() {
            Ok(()) => println!("ended well"),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::Deadlock, "{error}");
                let deadlock = error.get_ref().and_then(|inner| inner.downcast_ref::<Deadlock>());
                assert!(!deadlock.expect("of that type").dump().fibers.is_empty());
                println!("deadlock\n{error}");
            }
        };
    }
    if let Some(port) = env::var_os("FIBRA_TEST_PORT") {
        thread::park_timeout(LATER);
        let port = port.to_str().and_then(|port| port.parse().ok()).expect("a port");
        let mut peer = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("connect");
        return peer.write_all(b"x").expect("send");
    }
    if !cfg!(target_os = "linux") {
        return println!("only Linux lets a process know its threads: nothing to test");
    }
    for ((name, _), part) in &DEADLOCKS {
        let output = run(name);
        assert!(output.starts_with("deadlock\nevery fiber waits"), "{name}: {output}");
        assert!(output.contains(part), "{name}: {part:?} is missing in {output}");
        assert!(!output.contains("is ready"), "{name}: a fiber was woken: {output}");
        println!("deadlock {name} ... ok");
    }
    for (name, _) in &WAITS {
        let output = run(name);
        assert_eq!(output, "ended well\n", "{name}");
        println!("wait {name} ... ok");
    }
}

fn run(case: &str) -> String {
    let child = Command::new(env::current_exe().expect("own path"))
        .env(CASE, case)
        .stderr(Stdio::inherit())
        .output()
        .expect("start the child");
    assert!(child.status.success(), "{case}: {child:?}");
    String::from_utf8(child.stdout).expect("text")
}

fn on(workers: usize, f: impl FnOnce()) -> io::Result<()> {
    runtime::Builder::new(driver::idle).workers(workers).run(f)
}

fn with_reactor(f: impl FnOnce()) -> io::Result<()> {
    fibra::runtime::builder().workers(2).run(f)
}

#[inline(never)]
fn wait_for_ever() {
    loop {
        park::park(Reason::Parked);
    }
}

fn after_a_timer() {
    sleep(LATER).expect("not cancelled");
    wait_for_ever();
}

fn after_a_blocking_job() {
    blocking(|| ()).expect("it ran");
    wait_for_ever();
}

fn joining_in_a_circle() -> io::Result<()> {
    on(2, || {
        let (sender, receiver) = std::sync::mpsc::channel::<fibra_scheduler::JoinHandle<()>>();
        let first = spawn(move || {
            let second = loop {
                match receiver.try_recv() {
                    Ok(second) => break second,
                    Err(_) => yield_now(),
                }
            };
            second.join().expect("no panic");
        });
        let second = spawn(move || first.join().expect("no panic"));
        sender.send(second).expect("the first one receives");
        wait_for_ever();
    })
}

fn a_thousand() -> io::Result<()> {
    on(2, || {
        let fibers: Vec<_> = (0..1000).map(|_| spawn(wait_for_ever)).collect();
        fibers.into_iter().for_each(|fiber| fiber.join().expect("no panic"));
    })
}

/// None of them is woken, however late its worker learns of the verdict.
fn on_each_of_many_workers() -> io::Result<()> {
    const WORKERS: usize = 8;
    on(WORKERS, || {
        let begun = Arc::new(AtomicUsize::new(0));
        for _ in 0..WORKERS {
            let begun = begun.clone();
            drop(spawn(move || {
                begun.fetch_add(1, Ordering::Relaxed);
                // Holds its worker, so that each gets one.
                while begun.load(Ordering::Relaxed) < WORKERS {
                    thread::yield_now();
                }
                let ended = park::wait(Reason::Parked, None);
                println!("a fiber goes on: {ended:?}");
            }));
        }
        wait_for_ever();
    })
}

fn after_a_plain_thread() -> io::Result<()> {
    on(2, || {
        thread::spawn(|| thread::park_timeout(LATER));
        wait_for_ever();
    })
}

fn for_anothers_timer() -> io::Result<()> {
    on(2, || {
        let me = park::current();
        drop(spawn(move || {
            sleep(LATER).expect("not cancelled");
            me.unpark();
        }));
        park::park(Reason::Parked);
    })
}

fn for_a_plain_thread() -> io::Result<()> {
    on(2, || {
        let me = park::current();
        thread::spawn(move || {
            thread::park_timeout(LATER);
            me.unpark();
        });
        park::park(Reason::Parked);
    })
}

/// Each round ends with a thread that wakes a fiber and is gone at once.
fn for_a_plain_thread_again_and_again() -> io::Result<()> {
    on(2, || {
        for _ in 0..2000 {
            let (me, done) = (park::current(), Arc::new(std::sync::atomic::AtomicBool::new(false)));
            let mark = done.clone();
            thread::spawn(move || {
                mark.store(true, std::sync::atomic::Ordering::Release);
                me.unpark();
            });
            while !done.load(std::sync::atomic::Ordering::Acquire) {
                park::park(Reason::Parked);
            }
        }
    })
}

fn for_a_socket() -> io::Result<()> {
    with_reactor(|| {
        let listener = fibra::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
        let port = listener.local_addr().expect("bound").port();
        let mut peer = Command::new(env::current_exe().expect("own path"))
            .env_remove(CASE)
            .env("FIBRA_TEST_PORT", port.to_string())
            .spawn()
            .expect("start the peer");
        let mut bytes = Vec::new();
        listener.accept().and_then(|(mut stream, _)| stream.read_to_end(&mut bytes)).expect("a byte");
        assert_eq!(bytes, b"x");
        assert!(peer.wait().expect("the peer").success());
    })
}

fn for_a_signal_handler() -> io::Result<()> {
    with_reactor(|| {
        let me = park::current();
        // SAFETY: it swaps a token, pushes to a lock-free stack and writes to an eventfd: nothing that a handler may not.
        let handler = unsafe { signal_hook::low_level::register(signal_hook::consts::SIGUSR1, move || me.unpark()) };
        handler.expect("a handler");
        let signal = format!("sleep 0.3; kill -USR1 {}", std::process::id());
        let mut shell = Command::new("sh").args(["-c", &signal]).spawn().expect("a shell");
        park::park(Reason::Parked);
        assert!(shell.wait().expect("the shell").success());
    })
}
