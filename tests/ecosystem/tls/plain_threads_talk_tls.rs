//! Without a runtime, the same types block their threads.

use std::io::{Read, Write};
use std::thread;
#[cfg(target_os = "linux")]
use std::{fs, io, path::Path, sync::mpsc, time::Duration};

use fibra::net::tls::TlsStream;

use crate::certificates::SERVER;
#[cfg(target_os = "linux")]
use crate::support::LOST;
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

/// Whether the thread with that folder in `/proc` waits for something.
#[cfg(target_os = "linux")]
fn is_asleep(thread: &Path) -> io::Result<bool> {
    let stat = fs::read_to_string(thread.join("stat"))?;
    Ok(stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('S')))
}

/// Nobody wakes it for that: it waits in the kernel.
#[cfg(target_os = "linux")]
#[test]
fn what_a_writer_leaves_goes_out_by_a_reader_who_waits_already() -> Result<(), Failure> {
    let (listener, config) = listener()?;
    let addr = listener.local_addr()?;
    let server = thread::spawn(move || -> Result<_, Failure> { Ok(listener.accept()?.0.finish()?) });
    let near = TlsStream::connect(addr, SERVER, config)?;
    let mut far = server.join().expect("a thread panicked")?;
    far.set_read_timeout(Some(LOST))?;
    let (mut reader, mut writer) = near.into_split();
    let (here, is_here) = mpsc::channel();
    let reading = thread::spawn(move || {
        here.send(fs::read_link("/proc/thread-self")).expect("received");
        let mut answer = String::new();
        reader.read_to_string(&mut answer).map(|_| answer)
    });
    let reader = Path::new("/proc").join(is_here.recv()??);
    while !is_asleep(&reader)? {
        thread::yield_now();
    }
    writer.as_ref().set_write_timeout(Some(Duration::from_millis(10)))?;
    let mut accepted = 0;
    loop {
        match writer.write(&[7; 32 << 10]) {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => break,
            written => accepted += written?,
        }
    }
    drop(writer);
    far.read_exact(&mut vec![0; accepted])?;
    far.write_all(b"all of it")?;
    drop(far);
    assert_eq!(reading.join().expect("a thread panicked")?, "all of it");
    Ok(())
}
