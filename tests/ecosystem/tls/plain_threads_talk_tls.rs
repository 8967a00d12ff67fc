//! Without a runtime, the same types block their threads.

use std::io::{Read, Write};
use std::thread;

use fibra::net::tls::TlsStream;

use crate::certificates::SERVER;
use crate::support::{Failure, listener};

#[test]
fn an_echo_between_two_threads() -> Result<(), Failure> {
    let (listener, config) = listener()?;
    let addr = listener.local_addr()?;
    let server = thread::spawn(move || -> Result<_, Failure> {
        let mut stream = listener.accept()?.0.finish()?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        stream.write_all(&bytes)?;
        Ok(())
    });
    let sent = vec![9; 4 << 20];
    let (mut reader, mut writer) = TlsStream::connect(addr, SERVER, config)?.into_split();
    writer.write_all(&sent)?;
    drop(writer);
    let mut echoed = Vec::new();
    reader.read_to_end(&mut echoed)?;
    assert!(echoed == sent);
    server.join().expect("a thread panicked")
}
