//! Many connections on several workers: sockets are accepted on one, used on others, and dropped anywhere.

use std::io::{self, Read, Write};

use fibra::net::{TcpListener, TcpStream};

use crate::support::{LOOPBACK, LOST, join};

const CONNECTIONS: usize = 100;
const ROUNDS: usize = 100;

#[test]
fn every_message_is_answered() -> io::Result<()> {
    fibra::runtime::builder().workers(4).run(|| -> io::Result<()> {
        let listener = TcpListener::bind(LOOPBACK)?;
        let addr = listener.local_addr()?;
        // Two fibers accept from one listener.
        let servers: Vec<_> = (0..2)
            .map(|_| {
                let listener = listener.try_clone()?;
                Ok(fibra::spawn(move || serve(&listener)))
            })
            .collect::<io::Result<_>>()?;
        let clients: Vec<_> =
            (0..CONNECTIONS).map(|_| fibra::spawn(move || client(TcpStream::connect(addr)?))).collect();
        clients.into_iter().try_for_each(join)?;
        servers.iter().for_each(fibra::JoinHandle::cancel);
        Ok(())
    })?
}

fn serve(listener: &TcpListener) -> io::Result<()> {
    for stream in listener.incoming() {
        let stream = stream?;
        fibra::spawn(move || io::copy(&mut &stream, &mut &stream));
    }
    Ok(())
}

/// Reads in one fiber what another writes, both on one socket, mostly on different workers.
fn client(stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(LOST))?;
    let writer = stream.try_clone()?;
    let writer = fibra::spawn(move || (0..ROUNDS).try_for_each(|_| (&writer).write_all(b"message")));
    let mut message = [0; 7];
    for _ in 0..ROUNDS {
        (&stream).read_exact(&mut message)?;
        assert_eq!(&message, b"message");
    }
    join(writer)
}
