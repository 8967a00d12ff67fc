//! A stream's two directions as values of their own.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};

/// What can be split: [`TcpStream`](crate::TcpStream) and [`UnixStream`](crate::UnixStream).
pub(crate) trait Halves {
    fn end_writing(&self) -> io::Result<()>;

    /// Whether both are handles to one connection.
    fn is_same(&self, other: &Self) -> bool;
}

pub(crate) fn split<S: Halves>(read: S, write: S) -> (ReadHalf<S>, WriteHalf<S>) {
    (ReadHalf { stream: read }, WriteHalf { stream: write, ends: true })
}

/// The direction in, of a stream that was [split](crate::TcpStream::into_split).
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// # fibra_scheduler::runtime::Builder::new(fibra_net::reactor::Factory::default()).run(|| {
/// use std::io::{Read, Write};
///
/// let (mut reader, mut writer) = fibra_net::TcpStream::connect("127.0.0.1:7000")?.into_split();
/// let answer = fibra_scheduler::spawn(move || {
///     let mut answer = String::new();
///     reader.read_to_string(&mut answer).map(|_| answer)
/// });
/// writer.write_all(b"question")?;
/// drop(writer); // The peer sees the end of the stream.
/// println!("{}", answer.join().unwrap()?);
/// # Ok(())
/// # })?
/// # }
/// ```
pub struct ReadHalf<S> {
    stream: S,
}

/// The direction out, of a stream that was [split](crate::TcpStream::into_split). Dropping it ends the writing (`shutdown`).
#[allow(private_bounds, reason = "sealed: made by into_split only")]
pub struct WriteHalf<S: Halves> {
    stream: S,
    /// Whether the writing ends with it.
    ends: bool,
}

#[allow(private_bounds, reason = "sealed: made by into_split only")]
impl<S: Halves> ReadHalf<S> {
    /// The stream, whole again; its writing goes on.
    ///
    /// # Errors
    ///
    /// Both halves, if they are not of the same stream.
    pub fn reunite(self, mut write: WriteHalf<S>) -> Result<S, (Self, WriteHalf<S>)> {
        if !self.stream.is_same(&write.stream) {
            return Err((self, write));
        }
        write.ends = false;
        Ok(self.stream)
    }
}

impl<S: Halves> Drop for WriteHalf<S> {
    fn drop(&mut self) {
        if self.ends {
            // Fails only if the connection is gone, and then there is nothing to end.
            let _ = self.stream.end_writing();
        }
    }
}

#[cfg(feature = "tokio-io")]
impl<S> ReadHalf<S> {
    pub(crate) fn stream(&mut self) -> &mut S {
        &mut self.stream
    }
}

#[cfg(feature = "tokio-io")]
#[allow(private_bounds, reason = "sealed: made by into_split only")]
impl<S: Halves> WriteHalf<S> {
    pub(crate) fn stream(&mut self) -> &mut S {
        &mut self.stream
    }
}

/// For what concerns both directions: addresses, timeouts, options.
impl<S> AsRef<S> for ReadHalf<S> {
    fn as_ref(&self) -> &S {
        &self.stream
    }
}

/// For what concerns both directions: addresses, timeouts, options.
impl<S: Halves> AsRef<S> for WriteHalf<S> {
    fn as_ref(&self) -> &S {
        &self.stream
    }
}

impl<S: Read> Read for ReadHalf<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buf)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.stream.read_vectored(bufs)
    }
}

impl<S: Halves + Write> Write for WriteHalf<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.stream.write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl<S: fmt::Debug> fmt::Debug for ReadHalf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReadHalf").field(&self.stream).finish()
    }
}

impl<S: Halves + fmt::Debug> fmt::Debug for WriteHalf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WriteHalf").field(&self.stream).finish()
    }
}
