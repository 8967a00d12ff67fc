//! A polled write on a TLS stream may accept more than goes out at once; what is polled next sends the rest.

use std::io::Read;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use fibra::net::tls::TlsStream;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::support::{Failure, LOST, block_on, join, on_one_worker, put, tls_pair};

/// Writes until there is no room for anything more; returns how much was accepted.
fn fill(stream: &mut TlsStream) -> Result<usize, Failure> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut accepted = 0;
    while let Poll::Ready(written) = Pin::new(&mut *stream).poll_write(&mut cx, &[7; 32 << 10]) {
        accepted += written?;
    }
    Ok(accepted)
}

#[test]
fn when_it_is_flushed() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut near, mut far) = tls_pair()?;
        far.set_read_timeout(Some(LOST))?;
        let accepted = fill(&mut near)?;
        let peer = fibra::spawn_local(move || Read::read_exact(&mut far, &mut vec![0; accepted]));
        block_on(near.flush())?;
        Ok(join(peer)?)
    })
}

#[test]
fn while_an_answer_is_read() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut near, mut far) = tls_pair()?;
        far.set_read_timeout(Some(LOST))?;
        let accepted = fill(&mut near)?;
        let peer = fibra::spawn_local(move || {
            Read::read_exact(&mut far, &mut vec![0; accepted])?;
            put(&mut far, &[1])
        });
        assert_eq!(block_on(near.read_u8())?, 1);
        Ok(join(peer)?)
    })
}

#[test]
fn before_the_stream_ends() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut near, mut far) = tls_pair()?;
        far.set_read_timeout(Some(LOST))?;
        let accepted = fill(&mut near)?;
        let peer = fibra::spawn_local(move || Read::read_to_end(&mut far, &mut Vec::new()));
        block_on(AsyncWriteExt::shutdown(&mut near))?;
        assert_eq!(join(peer)?, accepted);
        Ok(())
    })
}
