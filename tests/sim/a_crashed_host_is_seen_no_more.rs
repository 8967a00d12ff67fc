//! A crash is a crash: what a host does from that instant on has no effect, and what it has left is as a machine leaves it.

use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::rc::Rc;
use std::time::Duration;

use fibra::net::{TcpListener, TcpStream, UdpSocket};
use fibra::sim::{Ending, Latency, Sim};

const MILLISECOND: Duration = Duration::from_millis(1);

fn sim() -> Sim {
    Sim::builder().seed(7).latency(Latency::fixed(MILLISECOND)).build()
}

fn run(sim: Sim) -> fibra::sim::Report {
    sim.run().unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn what_was_sent_arrives_and_what_was_not_does_not() {
    let mut sim = sim();
    let hosts = sim.hosts();
    sim.host("server", || {
        let (mut stream, _) = TcpListener::bind("0.0.0.0:1")?.accept()?;
        stream.write_all(b"before")?;
        fibra::sleep(Duration::from_secs(3600))?;
        Ok(())
    });
    sim.client("client", move || {
        let mut stream = TcpStream::connect("server:1")?;
        fibra::sleep(Duration::from_secs(1))?;
        hosts.crash("server");
        let mut buf = [0; 16];
        assert_eq!(stream.read(&mut buf)?, 6);
        // Nobody is told.
        stream.set_read_timeout(Some(Duration::from_secs(600)))?;
        assert_eq!(stream.read(&mut buf).map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
        Ok(())
    });
    run(sim);
}

#[test]
fn a_destructor_that_says_goodbye_is_not_heard() {
    struct Goodbye(UdpSocket);
    impl Drop for Goodbye {
        fn drop(&mut self) {
            assert!(self.0.send_to(b"goodbye", "client:1").is_err());
        }
    }
    let mut sim = sim();
    let hosts = sim.hosts();
    sim.host("server", || {
        let goodbye = Goodbye(UdpSocket::bind("0.0.0.0:0")?);
        goodbye.0.send_to(b"hello", "client:1")?;
        assert!(fibra::sleep(Duration::from_secs(3600)).is_err());
        assert!(UdpSocket::bind("0.0.0.0:9").is_err());
        Ok(())
    });
    sim.client("client", move || {
        let socket = UdpSocket::bind("0.0.0.0:1")?;
        let mut buf = [0; 16];
        let (len, _) = socket.recv_from(&mut buf)?;
        assert_eq!(&buf[..len], b"hello");
        hosts.crash("server");
        socket.set_read_timeout(Some(Duration::from_secs(600)))?;
        assert_eq!(socket.recv_from(&mut buf).map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
        Ok(())
    });
    assert_eq!(run(sim).trace().leaked(), 0);
}

#[test]
fn its_next_life_knows_nothing_of_its_connections() {
    let mut sim = sim();
    let (hosts, lives) = (sim.hosts(), Rc::new(Cell::new(0)));
    sim.host("server", {
        let lives = Rc::clone(&lives);
        move || {
            lives.set(lives.get() + 1);
            serve()
        }
    });
    sim.client("client", move || {
        let mut stream = TcpStream::connect("server:1")?;
        echo(&mut stream)?;
        hosts.restart("server");
        fibra::sleep(Duration::from_secs(1))?;
        assert_eq!((lives.get(), hosts.boots("server")), (2, 2));
        stream.write_all(b"are you there?")?;
        assert_eq!(stream.read(&mut [0; 16]).map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
        echo(&mut TcpStream::connect("server:1")?)?;
        Ok(())
    });
    run(sim);
}

#[test]
fn while_it_is_down_nobody_answers() {
    let mut sim = sim();
    let hosts = sim.hosts();
    sim.host("server", serve);
    sim.client("client", move || {
        hosts.crash("server");
        assert!(!hosts.is_up("server"));
        let addr = fibra::net::ToSocketAddrs::to_socket_addrs("server:1")?.next().expect("one");
        let refused = TcpStream::connect_timeout(&addr, Duration::from_secs(5)).map(drop);
        assert_eq!(refused.map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
        hosts.restart("server");
        echo(&mut TcpStream::connect("server:1")?)?;
        assert_eq!(hosts.descriptors("client"), 0);
        Ok(())
    });
    run(sim);
}

fn serve() -> Ending {
    let listener = TcpListener::bind("0.0.0.0:1")?;
    for stream in listener.incoming() {
        let stream = stream?;
        fibra::spawn(move || std::io::copy(&mut &stream, &mut &stream));
    }
    Ok(())
}

fn echo(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"echo")?;
    stream.read_exact(&mut [0; 4])
}
