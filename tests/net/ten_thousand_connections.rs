//! As many connections at once, each with a fiber that waits for it; the clients are in a process of their own.

use std::io::{self, Read, Write};
use std::net::TcpStream as StdStream;
use std::process::{Command, Stdio};

use fibra::net::{TcpListener, TcpStream};

use crate::support::{LOOPBACK, counters, may_open, on_one_worker, resident_kib, with_descriptors};

const CONNECTIONS: usize = 10_000;
const ROUNDS: u8 = 2;
const TEST: &str = "ten_thousand_connections::are_served_by_one_worker";
const SERVER: &str = "FIBRA_TEST_SERVER";

#[test]
fn are_served_by_one_worker() -> io::Result<()> {
    let limit = CONNECTIONS + 100;
    if !may_open(limit)? {
        println!("skipped: this process may not have {limit} descriptors");
        return Ok(());
    }
    match std::env::var(SERVER) {
        Ok(addr) => connect_all(&addr),
        Err(_) => with_descriptors(limit, TEST, || on_one_worker(serve_all)),
    }
}

fn serve_all() -> io::Result<()> {
    let listener = TcpListener::bind(LOOPBACK)?;
    let mut clients = Command::new(std::env::current_exe()?)
        .args([TEST, "--exact", "--nocapture"])
        .env(SERVER, listener.local_addr()?.to_string())
        .stdout(Stdio::null())
        .spawn()?;
    let before = resident_kib()?;
    let mut waiting = 0;
    let echoes: Vec<_> = listener
        .incoming()
        .take(CONNECTIONS)
        .map(|stream| {
            let stream = stream?;
            // They have their own stacks only while they wait in them.
            Ok(fibra::spawn(move || echo(stream)))
        })
        .inspect(|_: &io::Result<_>| waiting += 1)
        .collect::<io::Result<_>>()?;
    assert_eq!(waiting, CONNECTIONS);
    while counters().sockets < CONNECTIONS {
        fibra::yield_now();
    }
    let each = (resident_kib()? - before) as f64 / CONNECTIONS as f64;
    println!("{each:.2} KiB resident for each connection that waits");
    // Two pages of stack in an unoptimised build, and not three.
    assert!(each < 12.0, "{each:.2} KiB resident for each connection that waits");
    for echo in echoes {
        crate::support::join(echo)?;
    }
    let status = fibra::blocking(move || clients.wait())??;
    assert!(status.success(), "the clients: {status}");
    Ok(())
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buf = [0; 64];
    while let n @ 1.. = stream.read(&mut buf)? {
        stream.write_all(&buf[..n])?;
    }
    Ok(())
}

/// Plain ones, in another process.
fn connect_all(addr: &str) -> io::Result<()> {
    let mut streams = (0..CONNECTIONS).map(|_| StdStream::connect(addr)).collect::<io::Result<Vec<_>>>()?;
    for round in 0..ROUNDS {
        for stream in &mut streams {
            stream.write_all(&[round; 8])?;
        }
        for stream in &mut streams {
            let mut reply = [0; 8];
            stream.read_exact(&mut reply)?;
            assert_eq!(reply, [round; 8]);
        }
    }
    Ok(())
}
