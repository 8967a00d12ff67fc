//! What a socket stands on: the kernel's descriptor, or an endpoint of a [simulated network](crate::sim).
//!
//! ```text
//!   Socket<S> ─ readiness, queue, deadlines ─▶ one non-blocking call ─▶ Backend ─┬─▶ Kernel(S): a system call
//!                                                                                └─▶ Simulated: the same, by sim::Endpoint
//! ```
//!
//! Which of them is decided when the socket is made. All that waits is above, and the same for both; so a test under simulation tests it, too.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{self, Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net as unix;

use rustix::net::sockopt::socket_error;

use crate::byte_stream::{ByteStream, Received};
use crate::sim::{Endpoint, Options};

/// See the [module](self).
pub(crate) enum Backend<S> {
    Kernel(S),
    Simulated(Endpoint),
}

impl<S> Backend<S> {
    /// Makes one by `simulated` on a thread with a simulated network, else by `kernel`.
    #[inline]
    pub(crate) fn choose(
        kernel: impl FnOnce() -> io::Result<S>,
        simulated: impl FnOnce() -> io::Result<Endpoint>,
    ) -> io::Result<Self> {
        match crate::sim::is_here() {
            false => kernel().map(Self::Kernel),
            true => simulated().map(Self::Simulated),
        }
    }

    /// As [`choose`](Self::choose), for two at once.
    pub(crate) fn choose_pair(
        kernel: impl FnOnce() -> io::Result<(S, S)>,
        simulated: impl FnOnce() -> io::Result<(Endpoint, Endpoint)>,
    ) -> io::Result<(Self, Self)> {
        match crate::sim::is_here() {
            false => kernel().map(|(near, far)| (Self::Kernel(near), Self::Kernel(far))),
            true => simulated().map(|(near, far)| (Self::Simulated(near), Self::Simulated(far))),
        }
    }

    /// The kernel's socket, for what is not simulated.
    ///
    /// # Errors
    ///
    /// `Unsupported` if it is a simulated one.
    pub(crate) fn kernel(&self) -> io::Result<&S> {
        match self {
            Self::Kernel(io) => Ok(io),
            Self::Simulated(_) => Err(unsupported()),
        }
    }

    /// As [`kernel`](Self::kernel), by value.
    pub(crate) fn into_kernel(self) -> io::Result<S> {
        match self {
            Self::Kernel(io) => Ok(io),
            Self::Simulated(_) => Err(unsupported()),
        }
    }

    /// Does to the kernel's socket what `kernel` does, or to the options of a simulated one what `simulated` does.
    pub(crate) fn option<R>(
        &self,
        kernel: impl FnOnce(&S) -> io::Result<R>,
        simulated: impl FnOnce(&mut Options) -> R,
    ) -> io::Result<R> {
        match self {
            Self::Kernel(io) => kernel(io),
            Self::Simulated(endpoint) => endpoint.options(simulated),
        }
    }
}

fn unsupported() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "simulated sockets do not have that")
}

impl<S: AsFd> Backend<S> {
    /// Ends receiving, sending or both.
    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Self::Kernel(io) => Ok(rustix::net::shutdown(
                io,
                match how {
                    Shutdown::Read => rustix::net::Shutdown::Read,
                    Shutdown::Write => rustix::net::Shutdown::Write,
                    Shutdown::Both => rustix::net::Shutdown::Both,
                },
            )?),
            Self::Simulated(endpoint) => endpoint.shutdown(how),
        }
    }

    /// The pending error (`SO_ERROR`), which this clears.
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        match self {
            Self::Kernel(io) => Ok(socket_error(io)?.err().map(io::Error::from)),
            Self::Simulated(endpoint) => endpoint.take_error(),
        }
    }
}

impl<S: ByteStream> ByteStream for Backend<S> {
    #[inline]
    fn read(&self, buf: &mut [u8]) -> io::Result<Received> {
        match self {
            Self::Kernel(io) => io.read(buf),
            Self::Simulated(endpoint) => endpoint.read(&mut [IoSliceMut::new(buf)], false),
        }
    }

    fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Kernel(io) => io.peek(buf),
            Self::Simulated(endpoint) => Ok(endpoint.read(&mut [IoSliceMut::new(buf)], true)?.bytes),
        }
    }

    fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<Received> {
        match self {
            Self::Kernel(io) => io.read_vectored(bufs),
            Self::Simulated(endpoint) => {
                let most = bufs.len().min(crate::byte_stream::VECTORED_MAX);
                endpoint.read(&mut bufs[..most], false)
            }
        }
    }

    #[inline]
    fn write(&self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Kernel(io) => io.write(buf),
            Self::Simulated(endpoint) => endpoint.write(&[IoSlice::new(buf)]),
        }
    }

    fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Kernel(io) => io.write_vectored(bufs),
            Self::Simulated(endpoint) => {
                let most = bufs.len().min(crate::byte_stream::VECTORED_MAX);
                endpoint.write(&bufs[..most])
            }
        }
    }
}

/// The addresses, of type `$Addr`, of a socket of type `$Io`.
macro_rules! addresses {
    ($Io:ty, $Addr:ty: $($name:ident by $simulated:ident),+) => {
        impl Backend<$Io> {
            $(pub(crate) fn $name(&self) -> io::Result<$Addr> {
                match self {
                    Self::Kernel(io) => io.$name(),
                    Self::Simulated(endpoint) => endpoint.$simulated(),
                }
            })+
        }
    };
}

addresses!(net::TcpStream, SocketAddr: local_addr by local_addr, peer_addr by peer_addr);
addresses!(net::UdpSocket, SocketAddr: local_addr by local_addr, peer_addr by peer_addr);
addresses!(mio::net::TcpListener, SocketAddr: local_addr by local_addr);
addresses!(unix::UnixStream, unix::SocketAddr: local_addr by unix_local_addr, peer_addr by unix_peer_addr);
addresses!(unix::UnixDatagram, unix::SocketAddr: local_addr by unix_local_addr, peer_addr by unix_peer_addr);
addresses!(mio::net::UnixListener, unix::SocketAddr: local_addr by unix_local_addr);

impl<S: AsFd> AsFd for Backend<S> {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Kernel(io) => io.as_fd(),
            Self::Simulated(endpoint) => endpoint.as_fd(),
        }
    }
}

impl<S: AsFd> AsRawFd for Backend<S> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl<S: fmt::Debug> fmt::Debug for Backend<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = match self {
            Self::Kernel(io) => return io.fmt(f),
            Self::Simulated(endpoint) => endpoint,
        };
        let mut simulated = f.debug_struct("Simulated");
        if let Ok(addr) = endpoint.local_addr() {
            simulated.field("addr", &addr);
        }
        if let Ok(peer) = endpoint.peer_addr() {
            simulated.field("peer", &peer);
        }
        if let Ok(addr) = endpoint.unix_local_addr() {
            simulated.field("addr", &addr);
        }
        if let Ok(peer) = endpoint.unix_peer_addr() {
            simulated.field("peer", &peer);
        }
        simulated.field("fd", &endpoint.number()).finish()
    }
}
