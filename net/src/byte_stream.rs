//! What TCP and Unix streams share: bytes in order, both ways.
//!
//! Invariant: a transfer that moved fewer bytes than asked is taken for a proof that the kernel has no more (or no more room) only if
//! it did not stop for another reason; else what is left would wait for an event that has already been.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::AsFd;
use std::sync::Arc;
#[cfg(feature = "tokio-io")]
use std::task::{Context, Poll};

use rustix::net::{RecvFlags, recv};

use crate::registration::Side;
use crate::socket::Socket;
use crate::wait::{Evidence, uninterrupted};

/// As many buffers as the kernel, and so std, takes in one vectored call.
pub(crate) const VECTORED_MAX: usize = 1024;

/// The most that Linux moves in one call (`MAX_RW_COUNT`), however much is asked.
const TRANSFER_MAX: usize = 0x7fff_f000;

/// A stream socket as the kernel has it: calls that do not wait.
pub(crate) trait ByteStream: AsFd + Send + Sync + 'static {
    fn read(&self, buf: &mut [u8]) -> io::Result<Received>;
    fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<Received>;
    fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(recv(self, buf, RecvFlags::PEEK)?.0)
    }
    fn write(&self, buf: &[u8]) -> io::Result<usize>;
    fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize>;
}

/// What a read has brought.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    pub(crate) bytes: usize,
    /// Whether it may have stopped where it did although more is there.
    pub(crate) cut: bool,
}

impl Received {
    /// By a read that stops only when there is no more.
    pub(crate) fn all(bytes: usize) -> Self {
        Self { bytes, cut: false }
    }
}

impl<S: ByteStream> Socket<S> {
    pub(crate) fn read(self: &Arc<Self>, buf: &mut [u8]) -> io::Result<usize> {
        let asked = buf.len();
        self.run(Side::Read, |stream| stream.read(buf), |read| received(read, asked)).map(|read| read.bytes)
    }

    pub(crate) fn read_vectored(self: &Arc<Self>, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let asked = bufs.iter().take(VECTORED_MAX).map(|buf| buf.len()).sum();
        if asked == 0 {
            // As `readv`, which then does not look at the socket.
            return Ok(0);
        }
        self.run(Side::Read, |stream| stream.read_vectored(bufs), |read| received(read, asked)).map(|read| read.bytes)
    }

    /// As `read`, but fails with `WouldBlock` instead of waiting.
    pub(crate) fn try_read(self: &Arc<Self>, buf: &mut [u8]) -> io::Result<usize> {
        let asked = buf.len();
        self.run_now(Side::Read, |stream| stream.read(buf), |read| received(read, asked)).map(|read| read.bytes)
    }

    /// Reads without taking.
    pub(crate) fn peek(self: &Arc<Self>, buf: &mut [u8]) -> io::Result<usize> {
        self.exchange(Side::Read, |stream| stream.peek(buf))
    }

    pub(crate) fn write(self: &Arc<Self>, buf: &[u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return self.write_nothing();
        }
        self.run(Side::Write, |stream| stream.write(buf), |sent| moved(*sent, buf.len()))
    }

    pub(crate) fn write_vectored(self: &Arc<Self>, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let asked = bufs.iter().take(VECTORED_MAX).map(|buf| buf.len()).sum();
        if asked == 0 {
            return self.write_nothing();
        }
        self.run(Side::Write, |stream| stream.write_vectored(bufs), |sent| moved(*sent, asked))
    }

    /// Takes no room, so there is nothing to wait for; but the kernel says if the writing has ended.
    fn write_nothing(&self) -> io::Result<usize> {
        uninterrupted(&mut || self.io().write(&[]))
    }

    /// As `write`, but fails with `WouldBlock` instead of waiting.
    pub(crate) fn try_write(self: &Arc<Self>, buf: &[u8]) -> io::Result<usize> {
        self.run_now(Side::Write, |stream| stream.write(buf), |sent| moved(*sent, buf.len()))
    }
}

#[cfg(feature = "tokio-io")]
impl<S: ByteStream> Socket<S> {
    pub(crate) fn poll_read(self: &Arc<Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let asked = buf.len();
        let read = self.poll(Side::Read, cx, |stream| stream.read(buf), |read| received(read, asked));
        read.map_ok(|read| read.bytes)
    }

    pub(crate) fn poll_write(self: &Arc<Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let asked = bufs.iter().take(VECTORED_MAX).map(|buf| buf.len()).sum();
        if asked == 0 {
            return Poll::Ready(self.write_nothing());
        }
        self.poll(Side::Write, cx, |stream| stream.write_vectored(bufs), |sent| moved(*sent, asked))
    }
}

fn received(read: &Received, asked: usize) -> Evidence {
    let evidence = moved(read.bytes, asked);
    Evidence { drained: evidence.drained && !read.cut, ..evidence }
}

/// Nothing moved says nothing about what is left: that is the end, or nothing was asked.
fn moved(bytes: usize, asked: usize) -> Evidence {
    Evidence { bytes, drained: 0 < bytes && bytes < asked.min(TRANSFER_MAX) }
}

/// What a handle to a stream offers under its own name, beyond what every [handle](crate::handle) does.
macro_rules! byte_stream {
    ($Handle:ident) => {
        impl $Handle {
            /// Ends reading, writing or both. Whoever waits for it wakes: a reader with `Ok(0)`, a writer with `BrokenPipe`.
            ///
            /// # Errors
            ///
            /// `NotConnected` when the connection is gone.
            pub fn shutdown(&self, how: std::net::Shutdown) -> io::Result<()> {
                self.socket.shutdown(how)
            }

            /// Reads without taking: the next read finds the same bytes.
            ///
            /// # Errors
            ///
            /// As [`read`](io::Read::read).
            pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.socket.peek(buf)
            }

            /// As [`read`](io::Read::read), but never waits, whatever [`set_nonblocking`](Self::set_nonblocking) says.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if there is nothing to read, or if others wait for it already.
            pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.socket.try_read(buf)
            }

            /// As [`write`](io::Write::write), but never waits, whatever [`set_nonblocking`](Self::set_nonblocking) says.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if there is no room, or if others wait for it already.
            pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                self.socket.try_write(buf)
            }

            /// Puts `key` in line in `set` as soon as there may be something to read, the end included: once, until it is watched again. Takes
            /// the place of an earlier watch of this socket.
            ///
            /// # Errors
            ///
            /// `Unsupported` if the calling fiber's worker has no reactor; else what the registration reports.
            pub fn watch(&self, set: &crate::ReadySet, key: u64) -> io::Result<()> {
                self.socket.announce_to(set.watch(key))
            }

            /// The two directions as values of their own, for two fibers. (A loan needs none: `&stream` reads and writes.) Dropping the
            /// [`WriteHalf`](crate::WriteHalf) ends the writing, which the peer sees as the end of the stream;
            /// [`reunite`](crate::ReadHalf::reunite) undoes the split.
            pub fn into_split(self) -> (crate::ReadHalf<Self>, crate::WriteHalf<Self>) {
                let socket = std::sync::Arc::clone(&self.socket);
                crate::split::split(self, Self { socket })
            }
        }

        impl crate::split::Halves for $Handle {
            fn end_writing(&self) -> io::Result<()> {
                self.shutdown(std::net::Shutdown::Write)
            }

            fn is_same(&self, other: &Self) -> bool {
                std::sync::Arc::ptr_eq(&self.socket, &other.socket)
            }
        }

        impl io::Read for &$Handle {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.socket.read(buf)
            }

            fn read_vectored(&mut self, bufs: &mut [io::IoSliceMut<'_>]) -> io::Result<usize> {
                self.socket.read_vectored(bufs)
            }
        }

        impl io::Write for &$Handle {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                self.socket.write(buf)
            }

            fn write_vectored(&mut self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
                self.socket.write_vectored(bufs)
            }

            /// Does nothing: nothing is buffered on this side of the kernel.
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        impl io::Read for $Handle {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.socket.read(buf)
            }

            fn read_vectored(&mut self, bufs: &mut [io::IoSliceMut<'_>]) -> io::Result<usize> {
                self.socket.read_vectored(bufs)
            }
        }

        impl io::Write for $Handle {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                self.socket.write(buf)
            }

            fn write_vectored(&mut self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
                self.socket.write_vectored(bufs)
            }

            /// Does nothing: nothing is buffered on this side of the kernel.
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
    };
}

pub(crate) use byte_stream;
