//! Latency, bandwidth, loss, duplication, partitions, holds, resets, refusals, pauses, and sockets that run out.

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use fibra::net::{TcpListener, TcpStream, UdpSocket};
use fibra::sim::{Conditions, Ending, Hosts, Latency, Network, Sim};

const MILLISECOND: Duration = Duration::from_millis(1);

/// A host that echoes what it gets, by TCP and UDP; and `client`.
fn with_echo(seed: u64, client: impl Fn(&Network, &Hosts) -> Ending + 'static) {
    let mut sim = Sim::builder().seed(seed).latency(Latency::fixed(MILLISECOND)).build();
    let (network, hosts) = (sim.network(), sim.hosts());
    sim.host("echo", || {
        let socket = UdpSocket::bind("0.0.0.0:1")?;
        fibra::spawn(move || -> io::Result<()> {
            let mut buf = [0; 64];
            loop {
                let (len, from) = socket.recv_from(&mut buf)?;
                socket.send_to(&buf[..len], from)?;
            }
        });
        for stream in TcpListener::bind("0.0.0.0:1")?.incoming() {
            let stream = stream?;
            fibra::spawn(move || io::copy(&mut &stream, &mut &stream));
        }
        Ok(())
    });
    sim.client("client", move || client(&network, &hosts));
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
}

fn stream() -> io::Result<TcpStream> {
    let stream = TcpStream::connect("echo:1")?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(stream)
}

/// How long an exchange takes.
fn echo(stream: &mut TcpStream) -> io::Result<Duration> {
    let begin = now();
    stream.write_all(b"x")?;
    stream.read_exact(&mut [0; 1])?;
    Ok(now() - begin)
}

fn now() -> Instant {
    fibra::clock::now()
}

#[test]
fn a_latency_is_paid_each_way() {
    with_echo(7, |network, _| {
        let took = echo(&mut stream()?)?;
        assert!(took >= 2 * MILLISECOND && took < 3 * MILLISECOND, "{took:?}");
        network.condition("echo", "client", |back| back.latency = Latency::fixed(50 * MILLISECOND));
        let took = echo(&mut stream()?)?;
        assert!(took >= 51 * MILLISECOND && took < 52 * MILLISECOND, "{took:?}");
        Ok(())
    });
}

#[test]
fn some_latencies_are_much_longer() {
    with_echo(7, |network, _| {
        let latency = Latency::between(MILLISECOND, 2 * MILLISECOND).with_tail(0.1, 100 * MILLISECOND);
        network.condition("client", "echo", |there| there.latency = latency);
        let mut stream = stream()?;
        let took: Vec<_> = (0..200).map(|_| echo(&mut stream)).collect::<io::Result<_>>()?;
        assert!(took.iter().all(|took| *took > 2 * MILLISECOND && *took < 102 * MILLISECOND), "{took:?}");
        let of_tail = took.iter().filter(|took| **took > 4 * MILLISECOND).count();
        assert!((10..30).contains(&of_tail), "{of_tail}");
        Ok(())
    });
}

#[test]
fn a_megabyte_takes_a_second_at_a_megabyte_a_second() {
    with_echo(7, |network, _| {
        network.condition("client", "echo", |there| there.bandwidth = Some(1_000_000));
        let (stream, begin) = (stream()?, now());
        fibra::scope(|scope| {
            scope.spawn(|| (&stream).write_all(&vec![7; 1_000_000]));
            (&stream).read_exact(&mut vec![0; 1_000_000])
        })?;
        let took = now() - begin;
        assert!(took >= Duration::from_secs(1) && took < Duration::from_millis(1_100), "{took:?}");
        Ok(())
    });
}

#[test]
fn what_is_lost_is_sent_again() {
    with_echo(7, |network, _| {
        network.condition_all(|all| all.loss = 0.2);
        let mut stream = stream()?;
        let took: Vec<_> = (0..50).map(|_| echo(&mut stream)).collect::<io::Result<_>>()?;
        assert!(took.iter().any(|took| *took > 200 * MILLISECOND) && took.iter().any(|took| *took < 3 * MILLISECOND));
        Ok(())
    });
}

#[test]
fn datagrams_are_lost_doubled_and_overtaken() {
    with_echo(7, |network, _| {
        let latency = Latency::between(MILLISECOND, 20 * MILLISECOND);
        network.condition_all(|all| {
            *all = Conditions { latency, loss: 0.2, duplication: 0.2, reordering: 0.5, ..Conditions::default() };
        });
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.connect("echo:1")?;
        for number in 0..100 {
            socket.send(&[number])?;
        }
        socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        let mut came = Vec::new();
        let mut buf = [0; 1];
        while socket.recv(&mut buf).is_ok() {
            came.push(buf[0]);
        }
        let mut sorted = came.clone();
        sorted.sort_unstable();
        assert_ne!(came, sorted, "overtaken");
        let with_doubles = sorted.len();
        sorted.dedup();
        assert!(
            sorted.len() < 90 && sorted.len() > 30 && with_doubles > sorted.len(),
            "{} {with_doubles}",
            sorted.len()
        );
        Ok(())
    });
}

#[test]
fn a_partition_is_silent_and_heals() {
    with_echo(7, |network, _| {
        let mut open = stream()?;
        network.partition("client", "echo");
        assert_eq!(echo(&mut open).map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
        network.heal("client", "echo");
        open.read_exact(&mut [0; 1])?;
        echo(&mut open)?;
        Ok(())
    });
}

#[test]
fn a_partition_may_be_one_way() {
    with_echo(7, |network, _| {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        network.partition_one_way("echo", "client");
        socket.send_to(b"x", "echo:1")?;
        assert_eq!(socket.recv(&mut [0; 1]).map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
        network.heal("echo", "client");
        socket.send_to(b"x", "echo:1")?;
        socket.recv(&mut [0; 1])?;
        Ok(())
    });
}

#[test]
fn nobody_waits_for_ever_for_who_is_cut_off() {
    with_echo(7, |network, _| {
        let mut stream = stream()?;
        stream.set_user_timeout(Some(Duration::from_secs(30)))?;
        stream.set_read_timeout(None)?;
        network.partition("client", "echo");
        let begin = now();
        assert_eq!(echo(&mut stream).map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
        let took = now() - begin;
        assert!(took >= Duration::from_secs(30) && took < Duration::from_secs(61), "{took:?}");
        Ok(())
    });
}

#[test]
fn what_is_held_arrives_when_released() {
    with_echo(7, |network, _| {
        let mut stream = stream()?;
        network.hold("client", "echo");
        stream.write_all(b"held")?;
        stream.set_read_timeout(Some(Duration::from_secs(100)))?;
        assert_eq!(stream.read(&mut [0; 4]).map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
        network.release("client", "echo");
        let begin = now();
        stream.read_exact(&mut [0; 4])?;
        assert!(now() - begin < 5 * MILLISECOND);
        Ok(())
    });
}

#[test]
fn a_reset_is_told_to_both() {
    with_echo(7, |network, _| {
        let mut stream = stream()?;
        network.reset("echo", "client");
        assert_eq!(stream.read(&mut [0; 1]).map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
        Ok(())
    });
}

#[test]
fn and_some_come_by_themselves() {
    with_echo(7, |network, _| {
        network.condition("client", "echo", |there| there.resets = 0.1);
        let exchanges: Vec<_> = (0..20)
            .map(|_| stream().map(|mut stream| (0..).take_while(|_| echo(&mut stream).is_ok()).count()))
            .collect::<io::Result<_>>()?;
        // One in ten packets, so after ten exchanges or so.
        let mean = exchanges.iter().sum::<usize>() / exchanges.len();
        assert!((4..20).contains(&mean), "{exchanges:?}");
        Ok(())
    });
}

#[test]
fn short_transfers_lose_no_byte() {
    for seed in 0..20 {
        with_echo(seed, |network, _| {
            network.condition_all(|all| (all.splitting, all.short_writes) = (0.9, 0.9));
            let stream = stream()?;
            let sent: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
            let mut came = vec![0; sent.len()];
            fibra::scope(|scope| {
                scope.spawn(|| (&stream).write_all(&sent));
                (&stream).read_exact(&mut came)
            })?;
            assert!(came == sent);
            Ok(())
        });
    }
}

#[test]
fn who_does_not_read_holds_the_writer_up() {
    let mut sim = Sim::builder().seed(7).build();
    sim.host("deaf", || {
        let (stream, _) = TcpListener::bind("0.0.0.0:1")?.accept()?;
        fibra::sleep(Duration::from_secs(60))?;
        let mut buf = vec![0; 1 << 20];
        (&stream).read_exact(&mut buf)?;
        Ok(())
    });
    sim.client("client", || {
        let mut stream = TcpStream::connect("deaf:1")?;
        let begin = now();
        stream.write_all(&vec![7; 1 << 20])?;
        assert!(now() - begin > Duration::from_secs(50));
        Ok(())
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn connections_are_refused() {
    with_echo(7, |network, _| {
        network.condition("client", "echo", |there| there.refusals = 1.0);
        assert_eq!(stream().map(drop).map_err(|error| error.kind()), Err(ErrorKind::ConnectionRefused));
        network.condition("client", "echo", |there| there.refusals = 0.0);
        echo(&mut stream()?)?;
        Ok(())
    });
}

#[test]
fn a_host_runs_out_of_sockets() {
    with_echo(7, |_, hosts| {
        hosts.limit_descriptors("client", 1);
        let first = stream()?;
        let errno = stream().map(drop).map_err(|error| error.raw_os_error());
        assert_eq!(errno, Err(Some(rustix::io::Errno::MFILE.raw_os_error())));
        drop(first);
        // A server out of them keeps who comes waiting.
        fibra::sleep(Duration::from_millis(10))?;
        let taken = hosts.descriptors("echo");
        hosts.limit_descriptors("echo", taken);
        let mut waiting = stream()?;
        let was_served = echo(&mut waiting);
        assert_eq!(was_served.map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
        hosts.limit_descriptors("echo", usize::MAX);
        waiting.read_exact(&mut [0; 1])?;
        Ok(())
    });
}

#[test]
fn a_paused_host_answers_late() {
    with_echo(7, |_, hosts| {
        let mut stream = stream()?;
        hosts.pause("echo");
        assert_eq!(echo(&mut stream).map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
        hosts.resume("echo");
        stream.read_exact(&mut [0; 1])?;
        Ok(())
    });
}
