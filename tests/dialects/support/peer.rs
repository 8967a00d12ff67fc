//! A client that writes bytes as they are.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use fibra::net::TcpStream;
use fibra::rpc::Server;

pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    /// What has come and was not asked for yet.
    pub(crate) buffer: Vec<u8>,
}

impl Peer {
    pub(crate) fn connect(server: &Server) -> Self {
        let stream = TcpStream::connect(server.local_addr()).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("not zero");
        Self { stream, buffer: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the server reads");
    }

    /// Says that there is nothing more to come.
    pub(crate) fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("it is connected");
    }

    /// Waits for more; false at the end.
    pub(crate) fn receive(&mut self) -> bool {
        let mut bytes = [0; 16 * 1024];
        match self.stream.read(&mut bytes) {
            Ok(0) => false,
            Ok(count) => {
                self.buffer.extend_from_slice(&bytes[..count]);
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("{error}"),
        }
    }

    /// All that still comes, until the server closes.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.receive() {}
        std::mem::take(&mut self.buffer)
    }
}
