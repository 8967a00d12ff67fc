//! A peer that goes without a word is noticed: by the client, whose calls wait; by the server, which would otherwise keep connection and session
//! for ever; and by whoever is held up by a window that stays closed.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use fibra::net::{Keepalive, TcpListener, TcpStream};
use fibra::rpc::{Channel, Server, client};
use fibra::sim::{Ending, Hosts, Latency, Sim};

use crate::support::{Account, BankClient, BankServer};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn bank() -> Result<Server, fibra::rpc::BindError> {
    Server::builder().service(BankServer::new(Account::default())).bind("0.0.0.0:7000")
}

fn serve() -> Ending {
    Ok(bank()?.wait()?)
}

#[test]
fn by_a_server_whose_client_is_gone() {
    let mut sim = Sim::builder().seed(7).build();
    let hosts = sim.hosts();
    sim.host("alice", || {
        let bank = BankClient::connect("bank:7000")?;
        bank.deposit(1)?;
        fibra::sleep(3600 * SECOND)?;
        Ok(())
    });
    sim.client("bank", move || {
        let server = bank()?;
        while server.connections() == 0 {
            fibra::sleep(SECOND)?;
        }
        fibra::sleep(SECOND)?;
        hosts.crash("alice");
        let begin = fibra::clock::now();
        while server.connections() > 0 {
            fibra::sleep(SECOND)?;
        }
        let took = fibra::clock::now() - begin;
        assert!(took > 30 * SECOND && took < 150 * SECOND, "{took:?}");
        Ok(())
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
}

/// Something happens to the one of a client's two servers: it soon goes on with the other.
fn a_client_goes_on_when(something_happens_to: fn(&Hosts, &str)) {
    let mut sim = Sim::builder().seed(7).build();
    let hosts = sim.hosts();
    sim.host("first", serve);
    sim.host("second", serve);
    sim.client("alice", move || {
        let mut keepalive = client::Keepalive::default();
        (keepalive.after, keepalive.timeout) = (SECOND, SECOND);
        let channel = Channel::builder().keepalive(Some(keepalive)).connect_to(["first:7000", "second:7000"])?;
        let bank = BankClient::new(channel).within(60 * SECOND);
        bank.add(1, 2)?;
        something_happens_to(&hosts, "first");
        let begin = fibra::clock::now();
        for n in 0..20 {
            assert_eq!(bank.add(n, 1)?, n + 1);
        }
        let took = fibra::clock::now() - begin;
        assert!(took < 5 * SECOND, "{took:?}");
        hosts.resume("first");
        Ok(())
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn by_a_client_whose_server_is_gone() {
    a_client_goes_on_when(Hosts::crash);
}

/// Its kernel acknowledges whatever comes, so that only the ping tells.
#[test]
fn by_a_client_whose_server_does_nothing_any_more() {
    a_client_goes_on_when(Hosts::pause);
}

/// A client that has asked for keepalive waits for a peer that crashes, and is started anew or not.
fn waits_for_a_peer_that_crashes(is_started_anew: bool, expected: ErrorKind) {
    let mut sim = Sim::builder().seed(7).latency(Latency::fixed(MILLISECOND)).build();
    let hosts = sim.hosts();
    sim.host("peer", || {
        let _stream = TcpListener::bind("0.0.0.0:1")?.accept()?;
        fibra::sleep(3600 * SECOND)?;
        Ok(())
    });
    sim.client("alice", move || {
        let mut stream = TcpStream::connect("peer:1")?;
        stream.set_keepalive(Some(Keepalive { idle: 10 * SECOND, interval: SECOND, probes: 3 }))?;
        fibra::sleep(SECOND)?;
        hosts.crash("peer");
        if is_started_anew {
            hosts.restart("peer");
        }
        let begin = fibra::clock::now();
        assert_eq!(stream.read(&mut [0; 1]).map_err(|error| error.kind()), Err(expected));
        let took = fibra::clock::now() - begin;
        assert!(took >= 10 * SECOND && took < 15 * SECOND, "{took:?}");
        Ok(())
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn by_probes_that_nobody_answers() {
    waits_for_a_peer_that_crashes(false, ErrorKind::TimedOut);
}

#[test]
fn by_probes_of_which_its_next_life_knows_nothing() {
    waits_for_a_peer_that_crashes(true, ErrorKind::ConnectionReset);
}

#[test]
fn by_who_writes_to_a_window_that_stays_closed() {
    let mut sim = Sim::builder().seed(7).latency(Latency::fixed(MILLISECOND)).build();
    let hosts = sim.hosts();
    sim.host("deaf", || {
        let listener = TcpListener::bind("0.0.0.0:1")?;
        let _stream = listener.accept()?;
        fibra::sleep(3600 * SECOND)?;
        Ok(())
    });
    sim.client("writer", move || {
        let mut stream = TcpStream::connect("deaf:1")?;
        stream.set_write_timeout(Some(SECOND))?;
        let full = stream.write_all(&vec![7; 4 << 20]);
        assert_eq!(full.map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
        hosts.restart("deaf");
        stream.set_read_timeout(Some(600 * SECOND))?;
        assert_eq!(stream.read(&mut [0; 1]).map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
        Ok(())
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
}

/// It is not given up, and not looked at again at each nanosecond.
#[test]
fn but_what_is_held_is_only_late() {
    let mut sim = Sim::builder().seed(7).latency(Latency::fixed(MILLISECOND)).build();
    let network = sim.network();
    sim.host("echo", || {
        let (stream, _) = TcpListener::bind("0.0.0.0:1")?.accept()?;
        std::io::copy(&mut &stream, &mut &stream)?;
        Ok(())
    });
    sim.client("alice", move || {
        let mut stream = TcpStream::connect("echo:1")?;
        stream.set_user_timeout(Some(SECOND / 10))?;
        network.hold("alice", "echo");
        stream.write_all(b"x")?;
        fibra::sleep(5 * SECOND)?;
        network.release("alice", "echo");
        stream.read_exact(&mut [0; 1])?;
        Ok(())
    });
    let report = sim.run().unwrap_or_else(|failure| panic!("{failure}"));
    assert!(report.trace().events() < 1_000, "{report:?}");
}
