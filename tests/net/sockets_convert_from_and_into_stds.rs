//! A socket may come from std and go back, with its timeouts, but not while a clone shares it.

use std::io::{self, Read, Write};
use std::time::Duration;

use fibra::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};

use crate::support::{Folder, LOOPBACK, counters, join, kind, on_one_worker, pair, spawn_waiting};

#[test]
fn there_and_back_and_there_again() -> io::Result<()> {
    on_one_worker(|| {
        let (near, mut far) = pair()?;
        near.set_read_timeout(Some(Duration::from_secs(5)))?;
        let sockets = counters().sockets;

        let reader = spawn_waiting(move || -> io::Result<TcpStream> {
            (&near).read_exact(&mut [0; 3])?;
            Ok(near)
        });
        far.write_all(b"one")?;
        let near = join(reader)?;
        assert_eq!(counters().sockets, sockets + 1);

        let mut std = std::net::TcpStream::try_from(near)?;
        assert_eq!(counters().sockets, sockets, "it has left the reactor");
        assert_eq!(std.read_timeout()?, Some(Duration::from_secs(5)));
        far.write_all(b"two")?;
        std.read_exact(&mut [0; 3])?;

        let near = TcpStream::try_from(std)?;
        assert_eq!(near.read_timeout()?, Some(Duration::from_secs(5)));
        let reader = spawn_waiting(move || (&near).read_exact(&mut [0; 5]));
        far.write_all(b"three")?;
        join(reader)
    })
}

#[test]
fn a_shared_socket_stays() -> io::Result<()> {
    let (near, _far) = pair()?;
    let clone = near.try_clone()?;
    assert_eq!(kind(std::net::TcpStream::try_from(near)), io::ErrorKind::ResourceBusy);
    std::net::TcpStream::try_from(clone).map(drop)
}

/// Who notes an event has hold of the socket meanwhile; that is no clone.
#[test]
fn what_happens_to_it_meanwhile_is_no_hindrance() -> io::Result<()> {
    on_one_worker(|| {
        for round in 0..5_000 {
            let (near, far) = UnixStream::pair()?;
            let mut far = std::os::unix::net::UnixStream::try_from(far)?;
            let reader = spawn_waiting(move || (&near).read(&mut [0; 8]).map(|_| near));
            far.write_all(b"x")?;
            // Registered with the reactor of this worker, which has nothing else to do.
            let near = join(reader)?;
            fibra::blocking(move || {
                far.write_all(b"x")?;
                // Until the reactor has been woken by that, sooner or later.
                (0..100 * (round % 100)).for_each(|_| std::hint::spin_loop());
                std::os::unix::net::UnixStream::try_from(near).map(drop)
            })??;
        }
        Ok(())
    })
}

#[test]
fn listeners_convert_too() -> io::Result<()> {
    on_one_worker(|| {
        let listener = TcpListener::try_from(std::net::TcpListener::bind(LOOPBACK)?)?;
        let client = TcpStream::connect(listener.local_addr()?)?;
        assert_eq!(listener.accept()?.1, client.local_addr()?);
        let listener = std::net::TcpListener::try_from(listener)?;
        let client = TcpStream::connect(listener.local_addr()?)?;
        assert_eq!(listener.accept()?.1, client.local_addr()?);
        Ok(())
    })
}

#[test]
fn so_do_all_others() -> io::Result<()> {
    let folder = Folder::new()?;
    on_one_worker(|| {
        let timeout = Some(Duration::from_secs(5));
        let (near, mut far) = UnixStream::pair()?;
        near.set_write_timeout(timeout)?;
        let std = std::os::unix::net::UnixStream::try_from(near)?;
        assert_eq!(std.write_timeout()?, timeout);
        let near = UnixStream::try_from(std)?;
        assert_eq!(near.write_timeout()?, timeout);
        (&near).write_all(b"x")?;
        assert_eq!(far.read(&mut [0; 8])?, 1);

        let socket = UdpSocket::bind(LOOPBACK)?;
        socket.set_read_timeout(timeout)?;
        let socket = UdpSocket::try_from(std::net::UdpSocket::try_from(socket)?)?;
        assert_eq!(socket.read_timeout()?, timeout);

        let (near, far) = UnixDatagram::pair()?;
        far.set_read_timeout(timeout)?;
        let far = UnixDatagram::try_from(std::os::unix::net::UnixDatagram::try_from(far)?)?;
        near.send(b"x")?;
        assert_eq!((far.recv(&mut [0; 8])?, far.read_timeout()?), (1, timeout));

        let listener = UnixListener::bind(folder.file("socket"))?;
        let listener = UnixListener::try_from(std::os::unix::net::UnixListener::try_from(listener)?)?;
        let _client = UnixStream::connect(folder.file("socket"))?;
        listener.accept().map(drop)
    })
}
