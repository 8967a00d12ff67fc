//! Whatever a fiber waits for on a socket, an ambient deadline and a cancellation end it.

use std::io::{self, Read, Write};
use std::time::Duration;

use fibra::cancel;
use fibra::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};

use crate::support::{Folder, LOOPBACK, join, kind, on_one_worker, pair, spawn_waiting};

/// `wait` never ends by itself; it is called twice.
fn is_cut(mut wait: impl FnMut() -> io::Result<()> + 'static) {
    let late = cancel::with_timeout(Duration::from_millis(2), &mut wait);
    assert_eq!(kind(late), io::ErrorKind::TimedOut);
    let fiber = spawn_waiting(wait);
    fiber.cancel();
    assert!(cancel::is_cancelled(&join(fiber).expect_err("there is nothing to wait for")));
}

#[test]
fn of_streams() -> io::Result<()> {
    on_one_worker(|| {
        let (near, _far) = pair()?;
        let (unix, _unix_far) = UnixStream::pair()?;
        for stream in [&near, &near.try_clone()?] {
            stream.set_read_timeout(None)?;
            stream.set_write_timeout(None)?;
        }
        let [a, b, c] = [near.try_clone()?, near.try_clone()?, near];
        is_cut(move || (&a).read(&mut [0; 8]).map(drop));
        is_cut(move || b.peek(&mut [0; 8]).map(drop));
        is_cut(move || (&c).write_all(&vec![7; 32 << 20]));
        let [a, b] = [unix.try_clone()?, unix];
        is_cut(move || (&a).read(&mut [0; 8]).map(drop));
        is_cut(move || (&b).write_all(&vec![7; 32 << 20]));
        Ok(())
    })
}

#[test]
fn of_listeners() -> io::Result<()> {
    let folder = Folder::new()?;
    on_one_worker(|| {
        let tcp = TcpListener::bind(LOOPBACK)?;
        let unix = UnixListener::bind(folder.file("socket"))?;
        is_cut(move || tcp.accept().map(drop));
        is_cut(move || unix.incoming().next().unwrap().map(drop));
        Ok(())
    })
}

#[test]
fn of_datagrams() -> io::Result<()> {
    let folder = Folder::new()?;
    on_one_worker(|| {
        let udp = UdpSocket::bind(LOOPBACK)?;
        let [a, b] = [udp.try_clone()?, udp];
        is_cut(move || a.recv_from(&mut [0; 8]).map(drop));
        is_cut(move || b.peek(&mut [0; 8]).map(drop));
        let path = folder.file("socket");
        let _receiver = UnixDatagram::bind(&path)?;
        let (near, far) = (UnixDatagram::unbound()?, UnixDatagram::unbound()?);
        far.connect(&path)?;
        is_cut(move || near.recv(&mut [0; 8]).map(drop));
        is_cut(move || {
            loop {
                far.send(b"x")?;
            }
        });
        let named = UnixDatagram::unbound()?;
        is_cut(move || {
            loop {
                named.send_to(b"x", &path)?;
            }
        });
        Ok(())
    })
}

#[test]
fn of_connecting() -> io::Result<()> {
    on_one_worker(|| {
        let (deaf, addr, _queued) = crate::support::deaf([127, 0, 0, 1].into())?;
        is_cut(move || TcpStream::connect(addr).map(drop));
        let (other_deaf, other, _other_queued) = crate::support::deaf([127, 0, 0, 1].into())?;
        is_cut(move || TcpStream::connect(&[addr, other][..]).map(drop));
        drop((deaf, other_deaf));
        Ok(())
    })
}
