//! `set_nonblocking` means what it means in std.

use std::io::{self, Read, Write};

use fibra::net::{TcpListener, TcpStream};

use crate::support::{LOOPBACK, kind, on_one_worker, pair};

#[test]
fn it_fails_with_would_block_until_told_otherwise() -> io::Result<()> {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK)?;
        listener.set_nonblocking(true)?;
        assert_eq!(kind(listener.accept()), io::ErrorKind::WouldBlock);

        let (mut near, mut far) = pair()?;
        near.set_nonblocking(true)?;
        assert_eq!(kind(near.read(&mut [0; 8])), io::ErrorKind::WouldBlock);
        assert_eq!(kind(near.write_all(&vec![7; 16 << 20])), io::ErrorKind::WouldBlock);
        near.set_nonblocking(false)?;
        far.write_all(b"data")?;
        assert_eq!(near.read(&mut [0; 8])?, 4);
        Ok(())
    })
}

#[test]
fn its_accept_loop_goes_on() -> io::Result<()> {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK)?;
        listener.set_nonblocking(true)?;
        let mut incoming = listener.incoming();
        let mut next = || incoming.next().expect("it has not ended");
        assert_eq!(kind(next()), io::ErrorKind::WouldBlock);
        let _near = TcpStream::connect(listener.local_addr()?)?;
        loop {
            match next() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                accepted => return accepted.map(drop),
            }
        }
    })
}
