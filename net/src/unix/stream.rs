//! A Unix stream.

use std::io::{self, IoSlice, IoSliceMut, Write};
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use rustix::net::{RecvAncillaryBuffer, RecvFlags, ReturnFlags, recvmsg};

use crate::backend::Backend;
use crate::backoff::{ASK_AGAIN_MAX, ASK_AGAIN_MIN, Backoff};
use crate::byte_stream::{ByteStream, Received, byte_stream};
use crate::handle::{handle, timeouts};
use crate::sim::Endpoint;
use crate::socket::Socket;

/// A Unix stream: [`std::os::unix::net::UnixStream`] on fibers.
///
/// Reading and writing go through `&UnixStream` too, so one fiber may read while another writes; several on the same
/// direction are served in the order in which they came. Closed when the last [clone](Self::try_clone) is dropped.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # fibra_scheduler::runtime::Builder::new(fibra_net::reactor::Factory::default()).run(|| {
/// use std::io::{Read, Write};
///
/// let (mut near, mut far) = fibra_net::UnixStream::pair()?;
/// let reader = fibra_scheduler::spawn(move || {
///     let mut text = String::new();
///     far.read_to_string(&mut text).map(|_| text)
/// });
/// near.write_all(b"hello")?;
/// drop(near);
/// assert_eq!(reader.join().unwrap()?, "hello");
/// # Ok(())
/// # })?
/// # }
/// ```
///
/// # Differences from std
///
/// * An operation that runs out of its timeout fails with `TimedOut` instead of `WouldBlock`.
/// * Timeouts are fibra's, not the kernel's: they hold for all clones, and are not seen through the raw descriptor. Long ones are kept to a
///   millionth.
/// * [`try_clone`](Self::try_clone) shares the descriptor instead of duplicating it.
/// * Conversions from and into std's type can fail; from `OwnedFd`, go through std's type.
///
/// More than std has: [`try_read`](Self::try_read), [`try_write`](Self::try_write), [`into_split`](Self::into_split),
/// [`peek`](Self::peek), [`peer_cred`](Self::peer_cred).
pub struct UnixStream {
    pub(crate) socket: Arc<Socket<net::UnixStream>>,
}

handle!(UnixStream, Socket<net::UnixStream>, net::UnixStream);
timeouts!(UnixStream, net::UnixStream);
byte_stream!(UnixStream);

impl UnixStream {
    /// Connects to the listener at `path`; waits while its backlog is full. The kernel does not tell when that has passed, so it
    /// is asked again, after 50 us and then less and less often, up to every 10 ms.
    ///
    /// # Errors
    ///
    /// `NotFound`: there is no such file; `ConnectionRefused`: nobody listens there; `PermissionDenied`; `InvalidInput` for a path that
    /// is too long.
    pub fn connect<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::connect_addr(&SocketAddr::from_pathname(path)?)
    }

    /// Connects to the listener at `addr`, which may be abstract; else as [`connect`](Self::connect).
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub fn connect_addr(addr: &SocketAddr) -> io::Result<Self> {
        let mut backoff = Backoff::new(ASK_AGAIN_MIN, ASK_AGAIN_MAX);
        loop {
            let kernel = || mio::net::UnixStream::connect_addr(addr).map(Into::into);
            match Backend::choose(kernel, || Endpoint::connect_unix(addr)) {
                Ok(stream) => return Ok(Self::on(stream)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => backoff.pause(None)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Two streams that are connected to each other.
    ///
    /// # Errors
    ///
    /// What `socketpair` reports.
    pub fn pair() -> io::Result<(Self, Self)> {
        let kernel = || mio::net::UnixStream::pair().map(|(near, far)| (near.into(), far.into()));
        let (near, far) = Backend::choose_pair(kernel, Endpoint::pair_unix)?;
        Ok((Self::on(near), Self::on(far)))
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// What `getsockname` reports.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io().local_addr()
    }

    /// The peer's address; unnamed unless the peer was bound to one.
    ///
    /// # Errors
    ///
    /// What `getpeername` reports.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io().peer_addr()
    }
}

impl ByteStream for net::UnixStream {
    fn read(&self, buf: &mut [u8]) -> io::Result<Received> {
        self.read_vectored(&mut [IoSliceMut::new(buf)])
    }

    /// Descriptors that the peer sends along are closed by the kernel, since nobody takes them; but a read stops behind them, although
    /// more data may be there. So it is `recvmsg`, which tells of them.
    fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<Received> {
        let message = recvmsg(self, bufs, &mut RecvAncillaryBuffer::default(), RecvFlags::empty())?;
        Ok(Received { bytes: message.bytes, cut: message.flags.contains(ReturnFlags::CTRUNC) })
    }

    fn write(&self, buf: &[u8]) -> io::Result<usize> {
        Write::write(&mut &*self, buf)
    }

    fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        Write::write_vectored(&mut &*self, bufs)
    }
}
