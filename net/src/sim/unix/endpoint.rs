//! What Unix sockets do that others do not, as calls on their [`Endpoint`]s.

use std::io;
use std::os::unix::net::SocketAddr;

use super::datagram::Datagrams;
use super::name::Name;
use super::stream::Stream;
use super::{Kind, Peer};
use crate::sim::Endpoint;
use crate::sim::current::call;
use rustix::io::Errno;

fn streams() -> Kind {
    Kind::Stream(Stream::default())
}

fn datagrams() -> Kind {
    Kind::Datagrams(Datagrams::default())
}

impl Endpoint {
    /// A socket that listens at `addr`.
    pub(crate) fn listen_unix(addr: &SocketAddr) -> io::Result<Self> {
        call(|state| state.bind_unix(Kind::Listener(Default::default()), Name::of(addr))).map(Self)
    }

    /// A stream to whoever listens at `addr`.
    pub(crate) fn connect_unix(addr: &SocketAddr) -> io::Result<Self> {
        call(|state| state.connect_unix(Name::of(addr))).map(Self)
    }

    /// Two streams that are connected to each other.
    pub(crate) fn pair_unix() -> io::Result<(Self, Self)> {
        call(|state| state.open_unix_pair(streams)).map(|(near, far)| (Self(near), Self(far)))
    }

    /// A socket for datagrams, at `addr` if that is given.
    pub(crate) fn open_unix_datagrams(addr: Option<&SocketAddr>) -> io::Result<Self> {
        call(|state| match addr {
            Some(addr) => state.bind_unix(datagrams(), Name::of(addr)),
            None => state.open_unix(datagrams()),
        })
        .map(Self)
    }

    /// Two sockets for datagrams that are connected to each other.
    pub(crate) fn pair_unix_datagrams() -> io::Result<(Self, Self)> {
        call(|state| state.open_unix_pair(datagrams)).map(|(near, far)| (Self(near), Self(far)))
    }

    /// A stream from the backlog, and its peer's address.
    pub(crate) fn accept_unix(&self) -> io::Result<(Self, SocketAddr)> {
        let (number, peer) = call(|state| state.accept_unix(self.0))?;
        Ok((Self(number), Name::addr(peer.as_ref())?))
    }

    /// Sets the one address that a socket for datagrams sends to and receives from.
    pub(crate) fn connect_unix_datagrams(&self, addr: &SocketAddr) -> io::Result<()> {
        call(|state| state.connect_unix_datagrams(self.0, &Name::of(addr)))
    }

    pub(crate) fn send_unix(&self, bytes: &[u8], to: Option<&SocketAddr>) -> io::Result<usize> {
        let to = to.map(Name::of);
        call(|state| state.send_unix(self.0, bytes, to.as_ref()))
    }

    pub(crate) fn receive_unix(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (len, from) = call(|state| state.receive_unix(self.0, buf))?;
        Ok((len, Name::addr(from.as_ref())?))
    }

    pub(crate) fn unix_local_addr(&self) -> io::Result<SocketAddr> {
        Name::addr(call(|state| Ok(state.unix(self.0)?.name.clone()))?.as_ref())
    }

    pub(crate) fn unix_peer_addr(&self) -> io::Result<SocketAddr> {
        let Peer { name, .. } = call(|state| state.unix(self.0)?.peer.clone().ok_or(Errno::NOTCONN))?;
        Name::addr(name.as_ref())
    }
}
