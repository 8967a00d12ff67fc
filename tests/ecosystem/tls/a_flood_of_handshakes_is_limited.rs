//! No more handshakes are under way than the listener allows.

use std::time::Duration;

use fibra::net::TcpStream;
use fibra::net::tls::TlsStream;

use crate::certificates::SERVER;
use crate::support::{Failure, LOST, join, kind, listener, on_one_worker, spawn_waiting};

#[test]
fn accepting_waits_until_one_is_given_up() -> Result<(), Failure> {
    on_one_worker(|| {
        let (listener, _) = listener()?;
        let listener = listener.max_handshakes(2);
        let addr = listener.local_addr()?;
        let _peers = [TcpStream::connect(addr)?, TcpStream::connect(addr)?, TcpStream::connect(addr)?];
        let first = listener.accept()?;
        let _second = listener.accept()?;
        let third = spawn_waiting(move || listener.accept().map(drop));
        assert!(!third.is_finished());
        drop(first);
        Ok(join(third)?)
    })
}

#[test]
fn one_that_is_finished_does_not_count() -> Result<(), Failure> {
    on_one_worker(|| {
        let (listener, config) = listener()?;
        let listener = listener.max_handshakes(1);
        let addr = listener.local_addr()?;
        let server = fibra::spawn_local(move || -> Result<_, Failure> {
            let mut streams = Vec::new();
            for _ in 0..3 {
                streams.push(listener.accept()?.0.finish()?);
            }
            Ok(streams)
        });
        let _clients = [
            TlsStream::connect(addr, SERVER, config.clone())?,
            TlsStream::connect(addr, SERVER, config.clone())?,
            TlsStream::connect(addr, SERVER, config)?,
        ];
        assert_eq!(join(server)?.len(), 3);
        Ok(())
    })
}

#[test]
fn the_deadline_frees_what_a_silent_peer_holds() -> Result<(), Failure> {
    on_one_worker(|| {
        let (listener, config) = listener()?;
        let listener = listener.max_handshakes(1).handshake_timeout(Duration::from_millis(500));
        let addr = listener.local_addr()?;
        let _silent = TcpStream::connect(addr)?;
        let serving = listener.try_clone()?;
        let server = fibra::spawn_local(move || {
            serving.serve(|handshake, _| {
                // The silent peer's fails, which is what this is about.
                let _ = handshake.finish();
            })
        });
        TlsStream::connect(addr, SERVER, config)?;
        listener.shutdown()?;
        Ok(join(server)?)
    })
}

/// The kernel has handed it out, and will not again.
#[test]
fn a_connection_whose_wait_was_cut_is_accepted_later() -> Result<(), Failure> {
    on_one_worker(|| {
        let (listener, _) = listener()?;
        let listener = listener.max_handshakes(1);
        let addr = listener.local_addr()?;
        let peers = [TcpStream::connect(addr)?, TcpStream::connect(addr)?];
        let (first, peer) = listener.accept()?;
        assert_eq!(peer, peers[0].local_addr()?);
        let cut = fibra::cancel::with_timeout(Duration::ZERO, || listener.accept());
        assert_eq!(kind(cut), std::io::ErrorKind::TimedOut);
        drop(first);
        let (_second, peer) = fibra::cancel::with_timeout(LOST, || listener.accept())?;
        assert_eq!(peer, peers[1].local_addr()?);
        Ok(())
    })
}

#[test]
fn its_wait_is_cut_like_any() -> Result<(), Failure> {
    on_one_worker(|| {
        let (listener, _) = listener()?;
        let listener = listener.max_handshakes(1);
        let addr = listener.local_addr()?;
        let _peers = [TcpStream::connect(addr)?, TcpStream::connect(addr)?];
        let _first = listener.accept()?;
        let cut = fibra::cancel::with_timeout(Duration::from_millis(10), || listener.accept());
        assert_eq!(kind(cut), std::io::ErrorKind::TimedOut);
        Ok(())
    })
}
