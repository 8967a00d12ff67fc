//! One's own `shutdown` is heard by one's own fibers.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::Duration;

use fibra::net::{TcpListener, UdpSocket, UnixDatagram, UnixListener, UnixStream};

use crate::support::{Folder, LOOPBACK, LOST, counters, join, kind, on_one_worker, pair, spawn_waiting};

#[test]
fn the_reader_sees_the_end() -> io::Result<()> {
    on_one_worker(|| {
        let (near, _far) = pair()?;
        let shared = near.try_clone()?;
        let reader = spawn_waiting(move || (&shared).read(&mut [0; 8]));
        near.shutdown(Shutdown::Read)?;
        assert_eq!(join(reader)?, 0);
        Ok(())
    })
}

#[test]
fn all_readers_see_it() -> io::Result<()> {
    on_one_worker(|| {
        let (near, _far) = pair()?;
        let readers = (0..3)
            .map(|_| near.try_clone().map(|near| spawn_waiting(move || (&near).read(&mut [0; 8]))))
            .collect::<io::Result<Vec<_>>>()?;
        near.shutdown(Shutdown::Both)?;
        for reader in readers {
            assert_eq!(join(reader)?, 0);
        }
        Ok(())
    })
}

#[test]
fn a_parked_writer_gets_broken_pipe() -> io::Result<()> {
    on_one_worker(|| {
        let (near, _far) = pair()?;
        let shared = near.try_clone()?;
        let writer = spawn_waiting(move || (&shared).write_all(&vec![7; 16 << 20]));
        near.shutdown(Shutdown::Write)?;
        assert_eq!(kind(join(writer)), io::ErrorKind::BrokenPipe);
        Ok(())
    })
}

#[test]
fn on_unix_streams_too() -> io::Result<()> {
    on_one_worker(|| {
        let (near, _far) = UnixStream::pair()?;
        let [reader, writer] = [near.try_clone()?, near.try_clone()?];
        let reader = spawn_waiting(move || (&reader).read(&mut [0; 8]));
        let writer = spawn_waiting(move || (&writer).write_all(&vec![7; 16 << 20]));
        near.shutdown(Shutdown::Both)?;
        assert_eq!(join(reader)?, 0);
        assert_eq!(kind(join(writer)), io::ErrorKind::BrokenPipe);
        Ok(())
    })
}

#[test]
fn a_receiver_of_datagrams_gets_nothing_more() -> io::Result<()> {
    on_one_worker(|| {
        let (near, _far) = UnixDatagram::pair()?;
        let receivers = (0..3)
            .map(|_| near.try_clone().map(|near| spawn_waiting(move || near.recv(&mut [0; 8]))))
            .collect::<io::Result<Vec<_>>>()?;
        near.shutdown(Shutdown::Both)?;
        for receiver in receivers {
            assert_eq!(join(receiver)?, 0);
        }

        // Through its descriptor only: std's has no shutdown.
        let udp = UdpSocket::bind(LOOPBACK)?;
        udp.set_read_timeout(Some(LOST))?;
        udp.connect(udp.local_addr()?)?;
        let shared = udp.try_clone()?;
        let receiver = spawn_waiting(move || shared.recv(&mut [0; 8]));
        rustix::net::shutdown(&udp, rustix::net::Shutdown::Both)?;
        assert_eq!(join(receiver)?, 0);
        Ok(())
    })
}

#[test]
fn a_sender_of_datagrams_gets_broken_pipe() -> io::Result<()> {
    on_one_worker(|| {
        let (near, _far) = UnixDatagram::pair()?;
        let shared = near.try_clone()?;
        let sender = spawn_waiting(move || {
            loop {
                if let Err(error) = shared.send(&[7; 1024]) {
                    break error.kind();
                }
            }
        });
        near.shutdown(Shutdown::Write)?;
        assert_eq!(join(sender), io::ErrorKind::BrokenPipe);
        Ok(())
    })
}

#[test]
fn those_who_accept_end() -> io::Result<()> {
    let folder = Folder::new()?;
    on_one_worker(|| {
        let tcp = TcpListener::bind(LOOPBACK)?;
        let unix = UnixListener::bind(folder.file("socket"))?;
        let tcp_loops = (0..3)
            .map(|_| tcp.try_clone().map(|tcp| spawn_waiting(move || tcp.incoming().map(kind).collect::<Vec<_>>())))
            .collect::<io::Result<Vec<_>>>()?;
        let unix_loops = (0..3)
            .map(|_| unix.try_clone().map(|unix| spawn_waiting(move || unix.incoming().map(kind).collect::<Vec<_>>())))
            .collect::<io::Result<Vec<_>>>()?;
        tcp.shutdown()?;
        unix.shutdown()?;
        for accepts in tcp_loops.into_iter().chain(unix_loops) {
            assert_eq!(join(accepts), [io::ErrorKind::InvalidInput], "the error, and then no more");
        }
        assert_eq!(kind(tcp.accept()), io::ErrorKind::InvalidInput);
        assert_eq!(kind(unix.accept()), io::ErrorKind::InvalidInput);
        assert_eq!(kind(std::net::TcpStream::connect(tcp.local_addr()?)), io::ErrorKind::ConnectionRefused);
        assert_eq!(kind(UnixStream::connect(folder.file("socket"))), io::ErrorKind::ConnectionRefused);
        Ok(())
    })
}

/// Lets the other fibers run, but not the worker look outside, where it would hear of it by an event.
fn give_way() {
    (0..5).for_each(|_| fibra::yield_now());
}

#[test]
fn at_once_before_there_is_an_event() -> io::Result<()> {
    let folder = Folder::new()?;
    on_one_worker(|| {
        let (stream, _far) = pair()?;
        let (datagrams, _datagrams_far) = UnixDatagram::pair()?;
        let tcp = TcpListener::bind(LOOPBACK)?;
        let unix = UnixListener::bind(folder.file("socket"))?;
        let [reads, writes] = [stream.try_clone()?, stream.try_clone()?];
        let (receives, accepts, unix_accepts) = (datagrams.try_clone()?, tcp.try_clone()?, unix.try_clone()?);
        let waiting = [
            spawn_waiting(move || (&reads).read(&mut [0; 8]).map(drop)),
            spawn_waiting(move || (&writes).write_all(&vec![7; 16 << 20])),
            spawn_waiting(move || receives.recv(&mut [0; 8]).map(drop)),
            spawn_waiting(move || accepts.accept().map(drop)),
            spawn_waiting(move || unix_accepts.accept().map(drop)),
        ];
        // Time for the next look outside is always near; a fresh round begins after one.
        fibra::sleep(Duration::from_millis(1))?;
        stream.shutdown(Shutdown::Both)?;
        datagrams.shutdown(Shutdown::Read)?;
        tcp.shutdown()?;
        unix.shutdown()?;
        let polls = counters().polls;
        give_way();
        // Whoever was looked after by the reactor in between proves nothing.
        if counters().polls == polls {
            let ended: Vec<_> = waiting.iter().map(fibra::JoinHandle::is_finished).collect();
            assert_eq!(ended, [true; 5]);
        }
        for fiber in waiting {
            let _ = join(fiber);
        }
        Ok(())
    })
}

#[test]
fn and_who_has_read_what_was_there_need_not_wait() -> io::Result<()> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        let mut shared = near.try_clone()?;
        let first = spawn_waiting(move || shared.read(&mut [0; 8]));
        far.write_all(b"first")?;
        assert_eq!(join(first)?, 5);
        far.write_all(b"second")?;
        assert_eq!(near.peek(&mut [0; 8])?, 6);
        near.shutdown(Shutdown::Read)?;
        let polls = counters().polls;
        let reader = spawn_waiting(move || [near.read(&mut [0; 8]), near.read(&mut [0; 8])].map(Result::ok));
        assert!(reader.is_finished() || counters().polls != polls);
        assert_eq!(join(reader), [Some(6), Some(0)]);
        Ok(())
    })
}

#[test]
fn on_plain_threads_too() -> io::Result<()> {
    let folder = Folder::new()?;
    let tcp = TcpListener::bind(LOOPBACK)?;
    let unix = UnixListener::bind(folder.file("socket"))?;
    let (near, _far) = UnixDatagram::pair()?;
    let udp = UdpSocket::bind(LOOPBACK)?;
    udp.connect(udp.local_addr()?)?;
    thread::scope(|scope| {
        let udp_receives = scope.spawn(|| udp.recv(&mut [0; 8]));
        let accepts = scope.spawn(|| kind(tcp.accept()));
        let unix_accepts = scope.spawn(|| kind(unix.accept()));
        let receives = scope.spawn(|| near.recv(&mut [0; 8]));
        tcp.shutdown()?;
        unix.shutdown()?;
        near.shutdown(Shutdown::Read)?;
        rustix::net::shutdown(&udp, rustix::net::Shutdown::Both)?;
        assert_eq!(udp_receives.join().expect("it panicked")?, 0);
        assert_eq!(accepts.join().expect("it panicked"), io::ErrorKind::InvalidInput);
        assert_eq!(unix_accepts.join().expect("it panicked"), io::ErrorKind::InvalidInput);
        assert_eq!(receives.join().expect("it panicked")?, 0);
        Ok(())
    })
}
