//! A cancelled fiber's wait fails; the socket does not.

use std::io::{self, Read, Write};

use fibra::net::TcpListener;

use crate::support::{LOOPBACK, join, on_one_worker, pair, spawn_waiting};

fn is_cancelled<T>(result: io::Result<T>) -> bool {
    result.is_err_and(|error| error.get_ref().is_some_and(|source| source.is::<fibra::cancel::Interrupted>()))
}

#[test]
fn a_read_is_cut_and_the_stream_works_on() -> io::Result<()> {
    on_one_worker(|| {
        let (near, mut far) = pair()?;
        let shared = near.try_clone()?;
        let reader = spawn_waiting(move || (&shared).read(&mut [0; 8]));
        reader.cancel();
        assert!(is_cancelled(join(reader)));
        far.write_all(b"on")?;
        assert_eq!((&near).read(&mut [0; 8])?, 2);
        Ok(())
    })
}

#[test]
fn an_accept_loop_ends() -> io::Result<()> {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK)?;
        let server = spawn_waiting(move || listener.incoming().map(is_cancelled).collect::<Vec<_>>());
        server.cancel();
        assert_eq!(join(server), [true], "the error, and then no more");
        Ok(())
    })
}
