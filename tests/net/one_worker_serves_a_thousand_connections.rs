//! All connections are open at the same time, each with a fiber at either end, on one thread.

use std::io::{self, Read, Write};

use fibra::net::{TcpListener, TcpStream};

use crate::support::{LOOPBACK, counters, join, on_one_worker, with_descriptors};

const CONNECTIONS: usize = 1_000;
const ROUNDS: u8 = 3;

#[test]
fn a_thousand_connections_at_once() -> io::Result<()> {
    let test = "one_worker_serves_a_thousand_connections::a_thousand_connections_at_once";
    // Both ends of each connection, and some for the process.
    with_descriptors(2 * CONNECTIONS + 100, test, || on_one_worker(connect_all))
}

fn connect_all() -> io::Result<()> {
    let listener = TcpListener::bind(LOOPBACK)?;
    let addr = listener.local_addr()?;
    let server = fibra::spawn(move || {
        let echoes: Vec<_> =
            listener.incoming().take(CONNECTIONS).map(|stream| fibra::spawn(move || echo(stream?))).collect();
        echoes.into_iter().try_for_each(join)
    });
    let streams = (0..CONNECTIONS).map(|_| TcpStream::connect(addr)).collect::<io::Result<Vec<_>>>()?;
    let clients: Vec<_> = streams.into_iter().map(|stream| fibra::spawn(move || client(stream))).collect();
    clients.into_iter().try_for_each(join)?;
    join(server)?;
    assert!(counters().registrations >= 2 * CONNECTIONS as u64);
    Ok(())
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut byte = [0; 64];
    while let n @ 1.. = stream.read(&mut byte)? {
        stream.write_all(&byte[..n])?;
    }
    Ok(())
}

fn client(mut stream: TcpStream) -> io::Result<()> {
    for round in 0..ROUNDS {
        stream.write_all(&[round; 8])?;
        let mut reply = [0; 8];
        stream.read_exact(&mut reply)?;
        assert_eq!(reply, [round; 8]);
    }
    Ok(())
}
