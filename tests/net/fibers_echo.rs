//! The smallest server and its client.

use std::io::{self, Read, Write};

use fibra::net::{TcpListener, TcpStream};

use crate::support::{LOOPBACK, join, on_one_worker};

#[test]
fn what_a_client_sends_comes_back() -> io::Result<()> {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK)?;
        let addr = listener.local_addr()?;
        let server = fibra::spawn(move || {
            let (stream, peer) = listener.accept()?;
            assert_eq!(stream.peer_addr()?, peer);
            io::copy(&mut &stream, &mut &stream)
        });
        let mut client = TcpStream::connect(addr)?;
        client.set_nodelay(true)?;
        assert!(client.nodelay()?);
        for message in ["one", "two", "three"] {
            client.write_all(message.as_bytes())?;
            let mut reply = vec![0; message.len()];
            client.read_exact(&mut reply)?;
            assert_eq!(reply, message.as_bytes());
        }
        drop(client);
        assert_eq!(join(server)?, 11);
        Ok(())
    })
}
