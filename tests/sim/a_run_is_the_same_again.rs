//! A seed decides everything: on a rerun, in another thread, in debug and release.

use std::io::{Read, Write};
use std::time::Duration;

use fibra::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use fibra::sim::{Faults, Report, Sim, Skew};

use crate::support::{Account, connect, seeds, with_bank};

fn run(seed: u64) -> Report {
    let faults = Faults::swarm(seed, Duration::from_secs(20));
    let mut sim = with_bank(Sim::builder().seed(seed).faults(faults), &Account::default());
    for client in ["alice", "bob"] {
        sim.client(client, || {
            let bank = connect()?;
            for n in 0..20 {
                // Whatever comes of it.
                let _ = bank.add(n, 1);
                let _ = bank.deposit(1);
                fibra::sleep(Duration::from_millis(200))?;
            }
            Ok(())
        });
    }
    sim.run().unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn on_a_rerun() {
    for seed in seeds(20) {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
}

#[test]
fn in_another_thread() {
    let here: Vec<_> = (0..5).map(run).collect();
    let there = std::thread::spawn(|| (0..5).rev().map(run).collect::<Vec<_>>());
    let there: Vec<_> = there.join().expect("it did not panic").into_iter().rev().collect();
    assert_eq!(here, there);
}

/// Without RPC, so that a change there leaves the numbers as they are; who changes what the scheduler or the simulated network does changes
/// them here.
#[test]
fn in_every_build() {
    let hashes: Vec<_> = (0..8).map(|seed| echo(seed).hash()).collect();
    assert_eq!(hashes, GOLDEN);
}

const GOLDEN: [u64; 8] = [
    7110142757645571230,
    13757937039978140486,
    5374529045684182463,
    5479717981031136177,
    2709934318058019159,
    4475229702999814002,
    4898238549545857501,
    2076619540039843304,
];

/// An echo by TCP and UDP under a swarm of faults.
fn echo(seed: u64) -> Report {
    let mut sim = Sim::builder().seed(seed).faults(Faults::swarm(seed, Duration::from_secs(5))).build();
    sim.host("echo", || {
        let listener = loop {
            match TcpListener::bind("0.0.0.0:1") {
                Ok(listener) => break listener,
                Err(_) => fibra::sleep(Duration::from_millis(100))?,
            }
        };
        for stream in listener.incoming() {
            let stream = stream?;
            fibra::spawn(move || std::io::copy(&mut &stream, &mut &stream));
        }
        Ok(())
    });
    sim.clock("echo", Skew { offset: Duration::from_secs(1), drift: 200 });
    for client in ["alice", "bob"] {
        sim.client(client, || {
            let socket = UdpSocket::bind("0.0.0.0:0")?;
            for n in 0..100 {
                fibra::sleep(Duration::from_millis(50))?;
                let _ = exchange(n);
                let _ = socket.send_to(&[n], "echo:1");
            }
            Ok(())
        });
    }
    sim.run().unwrap_or_else(|failure| panic!("{failure}"))
}

fn exchange(n: u8) -> std::io::Result<()> {
    let addr = "echo:1".to_socket_addrs()?.next().expect("it has one");
    let mut stream = TcpStream::connect_timeout(&addr, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(&vec![n; 1 + usize::from(n) * 100])?;
    stream.read_exact(&mut vec![0; 1 + usize::from(n) * 100])
}

#[test]
fn and_not_with_another_seed() {
    assert_ne!(run(1).hash(), run(2).hash());
}
