//! [`tokio::io::AsyncRead`] and [`AsyncWrite`] for streams and their halves: so that crates of the async world (hyper, h2, ...) run on
//! fibers, under [`block_on`](fibra_scheduler::block_on). Of tokio this takes the traits and nothing else. An example is in the crate's
//! documentation.
//!
//! Invariants:
//! * A task waits for both directions at once, if it polls both; for each direction, whoever polled last is woken. (A TLS reader who also
//!   sends has a place of its own, see [`direction`](crate::direction).)
//! * A future that is dropped while it waits keeps nobody from the stream: a task has no place in line. Its waker stays with the stream until
//!   something happens there, and is then called in vain.
//! * Timeouts of the stream do not count; the deadline and the cancellation of the fiber do, in `block_on`.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::slice;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::split::Halves;
use crate::{ReadHalf, TcpStream, UnixStream, WriteHalf};

/// Both traits, by the poll functions of the handle's socket.
macro_rules! polled {
    ($Handle:ident) => {
        /// With the feature `tokio-io`, for futures under `fibra::block_on`. Outside of a runtime a read that has to wait fails with
        /// `Unsupported`. The stream's timeouts do not count.
        impl AsyncRead for $Handle {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                let read = ready!(self.socket.poll_read(cx, buf.initialize_unfilled()))?;
                buf.advance(read);
                Poll::Ready(Ok(()))
            }
        }

        /// With the feature `tokio-io`, for futures under `fibra::block_on`; as for `AsyncRead`.
        impl AsyncWrite for $Handle {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                self.socket.poll_write(cx, slice::from_ref(&IoSlice::new(buf)))
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.socket.poll_write(cx, bufs)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(self.shutdown(Shutdown::Write))
            }
        }
    };
}

polled!(TcpStream);
polled!(UnixStream);

impl<S: AsyncRead + Unpin> AsyncRead for ReadHalf<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.get_mut().stream()).poll_read(cx, buf)
    }
}

impl<S: Halves + AsyncWrite + Unpin> AsyncWrite for WriteHalf<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self.get_mut().stream()).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.get_mut().stream()).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.as_ref().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.get_mut().stream()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.get_mut().stream()).poll_shutdown(cx)
    }
}
