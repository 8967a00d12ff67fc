//! A service behind a Unix socket runs in simulation as it is, and comes back with its host after a crash.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fibra::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use fibra::sim::{Ending, Report, Sim};

use crate::support::seeds;

const SOCKET: &str = "/run/fibra-test/store.sock";
const MILLISECOND: Duration = Duration::from_millis(1);

/// Adds up what it is sent, and answers with the sum.
fn store() -> Ending {
    // As programs do: the file may have been left behind.
    let _ = std::fs::remove_file(SOCKET);
    let sum = Arc::<AtomicU64>::default();
    for stream in UnixListener::bind(SOCKET)?.incoming() {
        let (stream, sum) = (stream?, Arc::clone(&sum));
        fibra::spawn(move || -> io::Result<()> {
            loop {
                let mut number = [0; 8];
                (&stream).read_exact(&mut number)?;
                let number = u64::from_be_bytes(number);
                (&stream).write_all(&(sum.fetch_add(number, Ordering::Relaxed) + number).to_be_bytes())?;
            }
        });
    }
    Ok(())
}

/// Passes on what comes by TCP, and the answers.
fn node() -> Ending {
    fibra::spawn(|| store().map_err(|error| panic!("{error}")));
    for stream in TcpListener::bind("0.0.0.0:1")?.incoming() {
        let outside = stream?;
        fibra::spawn(move || -> io::Result<()> {
            let inside = UnixStream::connect(SOCKET)?;
            assert_eq!(inside.peer_addr()?.as_pathname(), Some(SOCKET.as_ref()));
            fibra::scope(|scope| {
                scope.spawn(|| {
                    let _ = io::copy(&mut &outside, &mut &inside);
                    inside.shutdown(std::net::Shutdown::Write)
                });
                io::copy(&mut &inside, &mut &outside).map(drop)
            })
        });
    }
    Ok(())
}

fn ask(stream: &TcpStream, number: u64) -> io::Result<u64> {
    let mut sum = [0; 8];
    (&mut &*stream).write_all(&number.to_be_bytes())?;
    (&mut &*stream).read_exact(&mut sum)?;
    Ok(u64::from_be_bytes(sum))
}

fn connect() -> TcpStream {
    loop {
        if let Ok(stream) = TcpStream::connect("node:1")
            && ask(&stream, 0).is_ok()
        {
            return stream;
        }
        fibra::sleep(MILLISECOND).expect("nobody cancels");
    }
}

fn run(seed: u64) -> Report {
    let mut sim = Sim::builder().seed(seed).build();
    let hosts = sim.hosts();
    sim.host("node", node);
    sim.client("client", move || {
        for life in 1..4 {
            let stream = connect();
            assert_eq!((ask(&stream, 5)?, ask(&stream, 2)?), (5, 7), "it begins anew");
            assert_eq!(ask(&connect(), 1)?, 8, "and is one for all");
            drop(stream);
            fibra::sleep(1000 * MILLISECOND)?;
            assert_eq!((hosts.boots("node"), hosts.descriptors("node")), (life, 2), "the two that listen");
            let stream = connect();
            hosts.crash("node");
            fibra::sleep(MILLISECOND)?;
            assert_eq!(hosts.descriptors("node"), 0);
            hosts.restart("node");
            fibra::sleep(1000 * MILLISECOND)?;
            ask(&stream, 1).expect_err("its next life knows nothing of that");
        }
        Ok(())
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn after_a_crash_of_its_host() {
    for seed in seeds(20) {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
}
