//! A host whose programs read nothing, though they run and write: the windows of its peers close, they are held up, and go on when it reads again,
//! with no byte lost.

use std::io::{Read, Write};
use std::time::Duration;

use fibra::net::{TcpListener, TcpStream, UdpSocket};
use fibra::sim::{Fault, Faults, Latency, Sim, Trouble};

const SECOND: Duration = Duration::from_secs(1);

/// More than two kernels hold.
const BYTES: usize = 1 << 20;

/// A host that sends a datagram each second, and takes and counts what comes.
fn sim(faults: Faults) -> Sim {
    let mut sim = Sim::builder().seed(7).faults(faults).latency(Latency::fixed(Duration::from_millis(1))).build();
    sim.host("sink", || {
        fibra::spawn(|| -> std::io::Result<()> {
            let socket = UdpSocket::bind("0.0.0.0:1")?;
            loop {
                fibra::sleep(SECOND)?;
                socket.send_to(b"alive", "source:1")?;
            }
        });
        for stream in TcpListener::bind("0.0.0.0:1")?.incoming() {
            let mut stream = stream?;
            stream.read_exact(&mut vec![0; BYTES])?;
            stream.write_all(b"all")?;
        }
        Ok(())
    });
    sim
}

#[test]
fn by_call() {
    let mut sim = sim(Faults::default());
    let hosts = sim.hosts();
    sim.client("source", move || {
        let socket = UdpSocket::bind("0.0.0.0:1")?;
        let mut stream = TcpStream::connect("sink:1")?;
        hosts.stall("sink");
        stream.set_write_timeout(Some(10 * SECOND))?;
        let (mut sent, bytes) = (0, vec![7; BYTES]);
        let held_up = loop {
            match stream.write(&bytes[sent..]) {
                Ok(count) => sent += count,
                Err(error) => break error,
            }
        };
        assert_eq!(held_up.kind(), std::io::ErrorKind::TimedOut, "{held_up}");
        assert!((256 << 10..BYTES).contains(&sent), "{sent}");
        // It runs all the same.
        socket.set_read_timeout(Some(2 * SECOND))?;
        socket.recv_from(&mut [0; 8])?;
        hosts.unstall("sink");
        stream.write_all(&bytes[sent..])?;
        stream.read_exact(&mut [0; 3])?;
        Ok(())
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn by_a_fault_that_comes_and_goes() {
    let stalls =
        Fault { what: Trouble::Stall, hosts: Vec::new(), every: (SECOND, SECOND), lasting: (20 * SECOND, 20 * SECOND) };
    let mut sim = sim(Faults { faults: vec![stalls], ..Faults::default() });
    sim.client("source", move || {
        let mut stream = TcpStream::connect("sink:1")?;
        fibra::sleep(2 * SECOND)?;
        let begin = fibra::clock::now();
        stream.write_all(&vec![7; BYTES])?;
        stream.read_exact(&mut [0; 3])?;
        let took = fibra::clock::now() - begin;
        assert!(took > 18 * SECOND && took < 20 * SECOND, "{took:?}");
        Ok(())
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
}
