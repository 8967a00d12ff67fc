//! Unix sockets of a host: its names are not another's, and what holds for its other sockets holds for them.

use std::io::{self, ErrorKind, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::time::Duration;

use fibra::net::unix::SocketAddr;
use fibra::net::{UnixDatagram, UnixListener, UnixStream};
use fibra::sim::{Ending, Hosts, Network, Sim};

const SECOND: Duration = Duration::from_secs(1);
const SOCKET: &str = "/run/fibra-test.sock";

fn kind<T>(result: io::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// EMFILE has no kind.
fn number<T>(result: io::Result<T>) -> Option<i32> {
    result.err().and_then(|error| error.raw_os_error())
}

fn on_a_host(main: impl Fn(&Network, &Hosts) -> Ending + 'static) {
    let mut sim = Sim::builder().seed(7).build();
    let (network, hosts) = (sim.network(), sim.hosts());
    sim.client("host", move || {
        main(&network, &hosts)?;
        assert_eq!(hosts.descriptors("host"), 0, "all are closed");
        Ok(())
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn names_are_of_one_host() {
    let mut sim = Sim::builder().seed(7).build();
    let name = || SocketAddr::from_abstract_name("fibra test");
    sim.host("other", move || {
        let (_path, _name) = (UnixListener::bind(SOCKET)?, UnixListener::bind_addr(&name()?)?);
        fibra::sleep(3600 * SECOND)?;
        Ok(())
    });
    sim.client("host", move || {
        fibra::sleep(SECOND)?;
        assert_eq!(kind(UnixStream::connect(SOCKET)), Some(ErrorKind::NotFound));
        assert_eq!(kind(UnixStream::connect_addr(&name()?)), Some(ErrorKind::ConnectionRefused));
        let _listener = UnixListener::bind(SOCKET)?;
        UnixStream::connect(SOCKET)?;
        assert!(!std::path::Path::new(SOCKET).exists(), "no file is made");
        Ok(())
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn a_path_refuses_after_a_crash_until_it_is_bound_again() {
    let mut sim = Sim::builder().seed(7).build();
    let hosts = sim.hosts();
    sim.host("host", {
        let hosts = hosts.clone();
        move || {
            let expected = if hosts.boots("host") == 1 { ErrorKind::NotFound } else { ErrorKind::ConnectionRefused };
            assert_eq!(kind(UnixStream::connect(SOCKET)), Some(expected));
            let _ = std::fs::remove_file(SOCKET);
            let (_listener, (_near, _far)) = (UnixListener::bind(SOCKET)?, UnixStream::pair()?);
            assert_eq!(kind(UnixListener::bind(SOCKET)), Some(ErrorKind::AddrInUse));
            UnixStream::connect(SOCKET)?;
            fibra::sleep(3600 * SECOND)?;
            Ok(())
        }
    });
    sim.client("client", move || {
        fibra::sleep(SECOND)?;
        hosts.restart("host");
        fibra::sleep(SECOND)?;
        assert_eq!((hosts.boots("host"), hosts.descriptors("host")), (2, 3));
        Ok(())
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn descriptors_run_out() {
    const EMFILE: Option<i32> = Some(24);
    on_a_host(|_, hosts| {
        hosts.limit_descriptors("host", 1);
        assert_eq!((number(UnixStream::pair()), number(UnixDatagram::pair())), (EMFILE, EMFILE));
        assert_eq!(hosts.descriptors("host"), 0, "not one of two");
        let listener = UnixListener::bind(SOCKET)?;
        assert_eq!((number(UnixStream::connect(SOCKET)), number(UnixDatagram::unbound())), (EMFILE, EMFILE));
        hosts.limit_descriptors("host", 2);
        assert_eq!(kind(UnixListener::bind(SOCKET)), Some(ErrorKind::AddrInUse));
        let mut near = UnixStream::connect(SOCKET)?;
        assert_eq!(number(listener.accept()), EMFILE);
        near.write_all(b"patience")?;
        hosts.limit_descriptors("host", 3);
        listener.accept()?.0.read_exact(&mut [0; 8])?;
        Ok(())
    });
}

#[test]
fn a_stalled_host_reads_nothing() {
    on_a_host(|_, hosts| {
        let (near, far) = UnixStream::pair()?;
        let (sender, receiver) = UnixDatagram::pair()?;
        hosts.stall("host");
        let bytes = vec![7; 1 << 20];
        near.set_write_timeout(Some(SECOND))?;
        assert_eq!(kind((&near).write_all(&bytes)), Some(ErrorKind::TimedOut));
        sender.send(b"whole")?;
        receiver.set_read_timeout(Some(SECOND))?;
        assert_eq!(kind(receiver.recv(&mut [0; 8])), Some(ErrorKind::TimedOut));
        assert_eq!(kind(far.try_read(&mut [0; 8])), Some(ErrorKind::WouldBlock));
        let reader = fibra::spawn(move || (&far).read_exact(&mut vec![0; 200_000]).map(|()| far));
        fibra::sleep(SECOND)?;
        hosts.unstall("host");
        reader.join().expect("it did not panic")?;
        assert_eq!(receiver.recv(&mut [0; 8])?, 5);
        Ok(())
    });
}

#[test]
fn who_connects_waits_for_the_backlog() {
    on_a_host(|_, hosts| {
        // Linux lets in one more than it was told.
        const BACKLOG: usize = 4096 + 1;
        let listener = UnixListener::bind(SOCKET)?;
        let queued: Vec<_> = (0..BACKLOG).map(|_| UnixStream::connect(SOCKET)).collect::<io::Result<_>>()?;
        let late = fibra::cancel::with_timeout(SECOND, || UnixStream::connect(SOCKET));
        assert_eq!(kind(late), Some(ErrorKind::TimedOut));
        let waiting = fibra::spawn(|| UnixStream::connect(SOCKET));
        fibra::sleep(SECOND)?;
        assert!(!waiting.is_finished());
        let _accepted = listener.accept()?;
        let _connected = waiting.join().expect("it did not panic")?;
        assert_eq!(hosts.descriptors("host"), BACKLOG + 3);
        drop(listener);
        assert_eq!(kind((&queued[BACKLOG - 1]).read(&mut [0])), Some(ErrorKind::ConnectionReset));
        Ok(())
    });
}

#[test]
fn short_reads_and_writes_lose_nothing() {
    on_a_host(|network, _| {
        network.condition("host", "host", |conditions| (conditions.splitting, conditions.short_writes) = (0.5, 0.5));
        let (near, far) = UnixStream::pair()?;
        let bytes: Vec<u8> = (0..1_000_003_u32).map(|n| (n % 251) as u8).collect();
        // There is room for all of it: each short write is followed by another, though nobody reads.
        let first = 100_000;
        (&near).write_all(&bytes[..first])?;
        let writer = fibra::spawn({
            let bytes = bytes.clone();
            move || (&near).write_all(&bytes[first..])
        });
        let (mut all, mut buf, mut short) = (Vec::<u8>::new(), [0; 1000], 0);
        loop {
            match (&far).read(&mut buf)? {
                0 => break,
                count => {
                    short += usize::from(count < buf.len());
                    all.extend(&buf[..count]);
                }
            }
        }
        writer.join().expect("it did not panic")?;
        assert!(all == bytes && short > 100, "{short}");
        network.condition("host", "host", |conditions| conditions.refusals = 1.0);
        let _listener = UnixListener::bind(SOCKET)?;
        assert_eq!(kind(UnixStream::connect(SOCKET)), Some(ErrorKind::ConnectionRefused));
        Ok(())
    });
}

#[test]
fn more_than_std_has() {
    on_a_host(|_, _| {
        let listener = UnixListener::bind(SOCKET)?;
        let near = UnixStream::connect(SOCKET)?;
        let (far, _) = listener.accept()?;
        for stream in [&near, &far] {
            assert_eq!(stream.peer_cred()?.pid, Some(std::process::id().cast_signed()));
        }
        assert_eq!(kind(far.try_read(&mut [0; 8])), Some(ErrorKind::WouldBlock));
        (&near).write_all(b"data")?;
        assert_eq!((far.peek(&mut [0; 3])?, far.peek(&mut [0; 8])?, far.try_read(&mut [0; 8])?), (3, 4, 4));
        let (mut read, write) = far.into_split();
        drop(write);
        assert_eq!((&near).read(&mut [0; 8])?, 0);
        (&near).write_all(b"more")?;
        assert_eq!(read.read(&mut [0; 8])?, 4);
        assert_eq!(kind(std::os::unix::net::UnixStream::try_from(near)), Some(ErrorKind::Unsupported));
        let server = fibra::spawn(move || {
            let serving = listener.try_clone()?;
            let clients = fibra::spawn(|| {
                for _ in 0..3 {
                    let mut client = UnixStream::connect(SOCKET)?;
                    client.write_all(b"echo")?;
                    client.read_exact(&mut [0; 4])?;
                }
                io::Result::Ok(())
            });
            let serving = fibra::spawn(move || {
                serving.serve(|stream, peer| {
                    assert!(peer.is_unnamed());
                    let _ = io::copy(&mut &stream, &mut &stream);
                })
            });
            clients.join().expect("it did not panic")?;
            listener.shutdown()?;
            serving.join().expect("it did not panic")
        });
        server.join().expect("it did not panic")?;
        fibra::sleep(SECOND)?;
        Ok(())
    });
}
