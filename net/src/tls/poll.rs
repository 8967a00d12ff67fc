//! TLS streams for futures; see [`tokio_io`](crate::tokio_io).
//!
//! Invariant: what has to go out is pushed by whichever direction is polled, so that it goes out even if nobody flushes it.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::slice;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::TlsStream;
use super::records::{Outcome, Pulled, Pushed};
use super::session::Session;
use crate::registration::Side;

impl Session {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            let behind = {
                let mut records = self.records();
                if let Some(read) = records.read(buf) {
                    return Poll::Ready(read);
                }
                records.is_behind()
            };
            if behind {
                // A connection that is lost says so to who reads.
                let push = |socket: &_| self.records().push(socket);
                let _ = self.socket().poll_helping(cx, push, Pushed::evidence);
            }
            let pull = |socket: &_| self.records().pull(socket, buf);
            let pulled = ready!(self.socket().poll(Side::Read, cx, pull, Pulled::evidence))?;
            if let Outcome::Read(read) = pulled.outcome {
                return Poll::Ready(Ok(read));
            }
        }
    }

    /// Sends all records that are to go out.
    fn poll_push(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.records().tls().wants_write() {
            return Poll::Ready(Ok(()));
        }
        let push = |socket: &_| self.records().push(socket);
        self.socket().poll(Side::Write, cx, push, Pushed::evidence).map_ok(|_| ())
    }

    fn poll_write(&self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        ready!(self.poll_push(cx))?;
        let accepted = self.records().encrypt(bufs)?;
        match self.poll_push(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(accepted)),
        }
    }
}

/// With the features `tls` and `tokio-io`, for futures under `fibra::block_on`; as for [`TcpStream`](crate::TcpStream).
impl AsyncRead for TlsStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = ready!(self.session().poll_read(cx, buf.initialize_unfilled()))?;
        buf.advance(read);
        Poll::Ready(Ok(()))
    }
}

/// With the features `tls` and `tokio-io`, for futures under `fibra::block_on`. What a write has accepted is certain to go out only
/// when it was flushed.
impl AsyncWrite for TlsStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.session().poll_write(cx, slice::from_ref(&IoSlice::new(buf)))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.session().poll_write(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.session().poll_push(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let session = self.session();
        session.records().end_writing();
        ready!(session.poll_push(cx))?;
        Poll::Ready(session.end(Shutdown::Write))
    }
}
