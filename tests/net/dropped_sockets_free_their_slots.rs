//! The reactor forgets a socket that is dropped, on whichever thread.

use std::io::{self, Read, Write};
use std::thread;

use fibra::net::TcpStream;

use crate::support::{counters, join, on_one_worker, pair, spawn_waiting};

/// Both ends of a connection, the near one registered.
fn registered() -> io::Result<(TcpStream, TcpStream)> {
    let (near, mut far) = pair()?;
    let shared = near.try_clone()?;
    let reader = spawn_waiting(move || (&shared).read(&mut [0; 8]));
    far.write_all(b"x")?;
    join(reader)?;
    Ok((near, far))
}

#[test]
fn on_their_worker() -> io::Result<()> {
    on_one_worker(|| {
        let before = counters().sockets;
        let pair = registered()?;
        assert_eq!(counters().sockets, before + 1);
        drop(pair);
        assert_eq!(counters().sockets, before);
        Ok(())
    })
}

#[test]
fn on_another_thread() -> io::Result<()> {
    on_one_worker(|| {
        let before = counters().sockets;
        let pairs = (0..10).map(|_| registered()).collect::<io::Result<Vec<_>>>()?;
        assert_eq!(counters().sockets, before + 10);
        thread::spawn(move || drop(pairs)).join().expect("a thread panicked");
        assert_eq!(counters().sockets, before);
        Ok(())
    })
}

#[test]
fn only_with_their_last_clone() -> io::Result<()> {
    on_one_worker(|| {
        let (near, _far) = registered()?;
        let sockets = counters().sockets;
        let clone = near.try_clone()?;
        drop(near);
        assert_eq!(counters().sockets, sockets);
        drop(clone);
        assert_eq!(counters().sockets, sockets - 1);
        Ok(())
    })
}
