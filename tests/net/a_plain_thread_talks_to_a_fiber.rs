//! Either end may be a plain thread, with std's socket or with fibra's.

use std::io::{self, Read, Write};
use std::thread;

use fibra::net::{TcpListener, TcpStream};

use crate::support::{LOOPBACK, join, on_one_worker};

/// Sends what it gets back, until the end.
fn echo(stream: &TcpStream) -> io::Result<u64> {
    io::copy(&mut &*stream, &mut &*stream)
}

fn ask(mut stream: impl Read + Write) -> io::Result<()> {
    for _ in 0..10 {
        stream.write_all(b"ping")?;
        let mut reply = [0; 4];
        stream.read_exact(&mut reply)?;
        assert_eq!(&reply, b"ping");
    }
    Ok(())
}

#[test]
fn a_fiber_serves_threads() -> io::Result<()> {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK)?;
        let addr = listener.local_addr()?;
        let with_std = thread::spawn(move || ask(std::net::TcpStream::connect(addr)?));
        let with_fibra = thread::spawn(move || ask(TcpStream::connect(addr)?));
        let echoes: Vec<_> = listener.incoming().take(2).map(|stream| fibra::spawn(move || echo(&stream?))).collect();
        for bytes in echoes {
            assert_eq!(join(bytes)?, 40);
        }
        with_std.join().expect("a thread panicked")?;
        with_fibra.join().expect("a thread panicked")
    })
}

#[test]
fn a_thread_serves_a_fiber() -> io::Result<()> {
    let listener = TcpListener::bind(LOOPBACK)?;
    let addr = listener.local_addr()?;
    let server = thread::spawn(move || echo(&listener.accept()?.0));
    on_one_worker(|| ask(TcpStream::connect(addr)?))?;
    assert_eq!(server.join().expect("a thread panicked")?, 40);
    Ok(())
}

#[test]
fn a_thread_and_a_fiber_share_a_socket() -> io::Result<()> {
    on_one_worker(|| {
        let (near, far) = crate::support::pair()?;
        let shared = near.try_clone()?;
        let writer = thread::spawn(move || (&shared).write_all(b"from the thread"));
        let mut buf = [0; 15];
        (&far).read_exact(&mut buf)?;
        assert_eq!(&buf, b"from the thread");
        writer.join().expect("a thread panicked")?;
        let (reader, sent) = (crate::support::spawn_waiting(move || (&near).read(&mut [0; 8])), (&far).write(b"x")?);
        assert_eq!(join(reader)?, sent);
        Ok(())
    })
}
