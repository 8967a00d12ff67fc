//! A TCP connection.
//!
//! Invariant: every `TcpStream` that a user holds is connected, or was.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{self, Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;

use crate::registration::Side;
use crate::resolve::{ToSocketAddrs, each_addr};
use crate::socket::{Socket, zero_timeout};

/// As many buffers as std hands to one vectored call.
const VECTORED_MAX: usize = 1024;

/// A TCP connection: [`std::net::TcpStream`] on fibers.
///
/// Reading and writing go through `&TcpStream` too, so one fiber may read while another writes; several on the same
/// direction are served in the order in which they came. Closed when the last [clone](Self::try_clone) is dropped.
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// # fibra_scheduler::runtime::Builder::new(fibra_net::reactor::Factory::default()).run(|| {
/// use std::io::{Read, Write};
///
/// let mut stream = fibra_net::TcpStream::connect("example.org:80")?;
/// stream.write_all(b"GET / HTTP/1.0\r\nHost: example.org\r\n\r\n")?;
/// let mut page = String::new();
/// stream.read_to_string(&mut page)?;
/// println!("{page}");
/// # Ok(())
/// # })?
/// # }
/// ```
///
/// # Differences from std
///
/// * An operation that runs out of its timeout fails with `TimedOut` instead of `WouldBlock`.
/// * Timeouts are fibra's, not the kernel's: they hold for all clones, and are not seen through the raw descriptor.
/// * [`try_clone`](Self::try_clone) shares the descriptor instead of duplicating it.
/// * Conversions from and into std's type can fail; from `OwnedFd`, go through std's type.
pub struct TcpStream {
    socket: Arc<Socket<net::TcpStream>>,
}

impl TcpStream {
    /// Connects to the first of `addr`'s addresses that accepts.
    ///
    /// # Errors
    ///
    /// The last address's: `ConnectionRefused`, `HostUnreachable`, `NetworkUnreachable`, `TimedOut` (the kernel gave up, after
    /// two minutes or so). `InvalidInput` if there is no address; what [resolving](ToSocketAddrs::to_socket_addrs) reports.
    pub fn connect<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        each_addr(addr, |addr| Self::open(addr, None))
    }

    /// Connects to `addr` within `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut` after that time, `InvalidInput` for a timeout of zero; else as [`connect`](Self::connect).
    pub fn connect_timeout(addr: &SocketAddr, timeout: Duration) -> io::Result<Self> {
        if timeout.is_zero() {
            return Err(zero_timeout());
        }
        Self::open(*addr, Some(timeout))
    }

    fn open(addr: SocketAddr, timeout: Option<Duration>) -> io::Result<Self> {
        let stream = Self::from_nonblocking(mio::net::TcpStream::connect(addr)?.into());
        stream.socket.perform(Side::Write, timeout, established)?;
        Ok(stream)
    }

    pub(super) fn from_nonblocking(stream: net::TcpStream) -> Self {
        Self { socket: Arc::new(Socket::new(stream)) }
    }

    /// The peer's address.
    ///
    /// # Errors
    ///
    /// `NotConnected` when the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io().peer_addr()
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// What `getsockname` reports.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io().local_addr()
    }

    /// Ends reading, writing or both. Whoever waits for it wakes: a reader with `Ok(0)`, a writer with `BrokenPipe`.
    ///
    /// # Errors
    ///
    /// `NotConnected` when the connection is gone.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.io().shutdown(how)?;
        if matches!(how, Shutdown::Read | Shutdown::Both) {
            self.socket.raise(Side::Read);
        }
        if matches!(how, Shutdown::Write | Shutdown::Both) {
            self.socket.raise(Side::Write);
        }
        Ok(())
    }

    /// Another handle to the same connection, for instance so that another fiber reads.
    ///
    /// # Errors
    ///
    /// None; the signature is std's, where it duplicates the descriptor.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { socket: Arc::clone(&self.socket) })
    }

    /// Reads without taking: the next read finds the same bytes.
    ///
    /// # Errors
    ///
    /// As [`read`](Read::read).
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        let timeout = self.socket.timeout(Side::Read).get();
        self.socket.perform(Side::Read, timeout, |stream| stream.peek(buf))
    }

    /// How long a read may wait before it fails with `TimedOut`; `None`, the default, waits for ever.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket.timeout(Side::Read).set(timeout)
    }

    /// How long a write may wait before it fails with `TimedOut`; `None`, the default, waits for ever.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for zero.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket.timeout(Side::Write).set(timeout)
    }

    /// How long a read may wait; see [`set_read_timeout`](Self::set_read_timeout).
    ///
    /// # Errors
    ///
    /// None; the signature is std's.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.socket.timeout(Side::Read).get())
    }

    /// How long a write may wait; see [`set_write_timeout`](Self::set_write_timeout).
    ///
    /// # Errors
    ///
    /// None; the signature is std's.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.socket.timeout(Side::Write).get())
    }

    /// With `true` (`TCP_NODELAY`), small writes are sent at once instead of waiting for the acknowledgement of the last one.
    /// Default: `false`, the kernel's.
    ///
    /// # Errors
    ///
    /// What `setsockopt` reports.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket.io().set_nodelay(nodelay)
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// What `getsockopt` reports.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.socket.io().nodelay()
    }

    /// Sets the time to live (`IP_TTL`) of the packets, in hops.
    ///
    /// # Errors
    ///
    /// What `setsockopt` reports.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket.io().set_ttl(ttl)
    }

    /// The time to live (`IP_TTL`), in hops.
    ///
    /// # Errors
    ///
    /// What `getsockopt` reports.
    pub fn ttl(&self) -> io::Result<u32> {
        self.socket.io().ttl()
    }

    /// The socket's pending error (`SO_ERROR`), which this clears.
    ///
    /// # Errors
    ///
    /// What `getsockopt` reports.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket.io().take_error()
    }

    /// With `true`, operations fail with `WouldBlock` instead of waiting. Default: `false`. Holds for all clones.
    ///
    /// # Errors
    ///
    /// None; the signature is std's. The descriptor itself is always in non-blocking mode.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.socket.set_nonblocking(nonblocking);
        Ok(())
    }
}

/// Whether a connection that was begun is there: `WouldBlock` until the kernel knows.
fn established(stream: &net::TcpStream) -> io::Result<()> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(()),
        Err(error)
            if error.kind() == io::ErrorKind::NotConnected
                || error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) =>
        {
            Err(io::ErrorKind::WouldBlock.into())
        }
        Err(error) => Err(error),
    }
}

impl Read for &TcpStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.socket.transfer(Side::Read, buf.len(), |mut stream| stream.read(buf))
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let asked = bufs.iter().take(VECTORED_MAX).map(|buf| buf.len()).sum();
        self.socket.transfer(Side::Read, asked, |mut stream| stream.read_vectored(bufs))
    }
}

impl Write for &TcpStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.socket.transfer(Side::Write, buf.len(), |mut stream| stream.write(buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let asked = bufs.iter().take(VECTORED_MAX).map(|buf| buf.len()).sum();
        self.socket.transfer(Side::Write, asked, |mut stream| stream.write_vectored(bufs))
    }

    /// Does nothing: nothing is buffered on this side of the kernel.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for TcpStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(bufs)
    }
}

impl Write for TcpStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self).write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(bufs)
    }

    /// Does nothing: nothing is buffered on this side of the kernel.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.io().fmt(f)
    }
}

impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.io().as_fd()
    }
}

impl AsRawFd for TcpStream {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// Puts it into non-blocking mode and takes over its timeouts; fails with what the kernel reports.
impl TryFrom<net::TcpStream> for TcpStream {
    type Error = io::Error;

    fn try_from(stream: net::TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let (read, write) = (stream.read_timeout()?, stream.write_timeout()?);
        let stream = Self::from_nonblocking(stream);
        stream.set_read_timeout(read)?;
        stream.set_write_timeout(write)?;
        Ok(stream)
    }
}

/// Puts it into blocking mode and hands over its timeouts; fails with `ResourceBusy` if a clone shares it (this one is dropped
/// then).
impl TryFrom<TcpStream> for net::TcpStream {
    type Error = io::Error;

    fn try_from(stream: TcpStream) -> io::Result<Self> {
        let (read, write) = (stream.read_timeout()?, stream.write_timeout()?);
        let stream = Socket::into_io(stream.socket)?;
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(read)?;
        stream.set_write_timeout(write)?;
        Ok(stream)
    }
}
