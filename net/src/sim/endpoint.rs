//! A socket's end in a simulated network: what a descriptor is to the kernel's.
//!
//! Invariants:
//! * Its calls do not wait: where the kernel would say `EAGAIN`, so do they, and an event follows.
//! * It is a number, and names a socket of the network of the thread that it is used on. Elsewhere, and when its run is over or its host has
//!   crashed, it names none: its calls fail, and dropping it does nothing.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;

use super::connection::{Connection, Phase};
use super::current::{call, no_socket};
use super::options::Options;
use super::state::{Socket, State};
use crate::byte_stream::Received;
use crate::registration::Tie;

/// See the [module](self).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Endpoint(pub(super) u32);

impl Endpoint {
    /// A TCP socket that listens at `addr`.
    pub(crate) fn listen(addr: SocketAddr) -> io::Result<Self> {
        call(|state| state.listen(addr)).map(Self)
    }

    /// A TCP connection to `addr` that is being opened.
    pub(crate) fn connect(addr: SocketAddr) -> io::Result<Self> {
        call(|state| state.connect(addr)).map(Self)
    }

    /// A UDP socket at `addr`.
    pub(crate) fn bind_datagram(addr: SocketAddr) -> io::Result<Self> {
        call(|state| state.bind_datagram(addr)).map(Self)
    }

    /// From now on the socket to which `tie` leads is told of what happens.
    pub(crate) fn attach(&self, tie: Tie) {
        // If it names none, nothing will happen.
        let _ = call(|state| {
            let tie = Some(tie);
            match state.socket(self.0) {
                Some(&mut Socket::Stream { connection, side }) => {
                    let side = usize::from(side);
                    state.at(connection, |state, connection| {
                        connection.ends[side].tie = tie;
                        state.raise_ended(connection, side);
                    });
                }
                Some(Socket::Listener(listener)) => listener.tie = tie,
                Some(Socket::Datagram(datagram)) => datagram.tie = tie,
                Some(Socket::Unix(_)) => state.attach_unix(self.0, tie),
                None => {}
            }
            Ok(())
        });
    }

    /// A connection from the backlog, and its peer's address.
    pub(crate) fn accept(&self) -> io::Result<(Self, SocketAddr)> {
        call(|state| state.accept(self.0)).map(|(number, peer)| (Self(number), peer))
    }

    pub(crate) fn read(&self, bufs: &mut [IoSliceMut<'_>], peek: bool) -> io::Result<Received> {
        call(|state| match state.socket(self.0) {
            Some(&mut Socket::Stream { connection, side }) => {
                state.read(connection, side.into(), bufs, peek).map(Received::all)
            }
            _ => state.read_unix(self.0, bufs, peek),
        })
    }

    pub(crate) fn write(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        call(|state| match state.socket(self.0) {
            Some(&mut Socket::Stream { connection, side }) => state.write(connection, side.into(), bufs),
            _ => state.write_unix(self.0, bufs),
        })
    }

    pub(crate) fn send(&self, bytes: &[u8], to: Option<SocketAddr>) -> io::Result<usize> {
        call(|state| state.send_datagram(self.0, bytes, to))
    }

    pub(crate) fn receive(&self, buf: &mut [u8], peek: bool) -> io::Result<(usize, SocketAddr)> {
        call(|state| state.receive_datagram(self.0, buf, peek))
    }

    /// Sets the one address that a UDP socket sends to and receives from.
    pub(crate) fn connect_datagram(&self, addr: SocketAddr) -> io::Result<()> {
        call(|state| state.connect_datagram(self.0, addr))
    }

    /// Ends receiving, sending or both; of a listener, the listening.
    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let (read, write) = (how != Shutdown::Write, how != Shutdown::Read);
        call(|state| match state.socket(self.0) {
            Some(&mut Socket::Stream { connection, side }) => state.shut(connection, side.into(), read, write),
            Some(Socket::Listener(_)) => state.shut_listener(self.0),
            Some(Socket::Datagram(_)) => Err(Errno::NOTCONN),
            Some(Socket::Unix(_)) => state.shut_unix(self.0, read, write),
            None => Err(Errno::BADF),
        })
    }

    /// The pending error, which this clears.
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        let error = call(|state| match state.socket(self.0) {
            Some(&mut Socket::Stream { connection, side }) => {
                Ok(state.at(connection, |_, connection| connection.ends[usize::from(side)].error.take()).flatten())
            }
            Some(Socket::Listener(_)) => Ok(None),
            Some(Socket::Datagram(datagram)) => Ok(datagram.error.take()),
            Some(Socket::Unix(socket)) => Ok(socket.error.take()),
            None => Err(Errno::BADF),
        })?;
        Ok(error.map(io::Error::from))
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        call(|state| match state.socket(self.0) {
            Some(&mut Socket::Stream { connection, side }) => {
                let addr = state.at(connection, |_, connection| connection.ends[usize::from(side)].addr);
                addr.ok_or(Errno::BADF)
            }
            Some(Socket::Listener(listener)) => Ok(listener.addr),
            Some(Socket::Datagram(datagram)) => Ok(datagram.addr),
            Some(Socket::Unix(_)) => Err(Errno::AFNOSUPPORT),
            None => Err(Errno::BADF),
        })
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        call(|state| match state.socket(self.0) {
            Some(&mut Socket::Stream { connection, side }) => {
                state.at(connection, |_, connection| connection.peer(side.into())).unwrap_or(Err(Errno::BADF))
            }
            Some(Socket::Datagram(datagram)) => datagram.peer.ok_or(Errno::NOTCONN),
            Some(Socket::Listener(_)) => Err(Errno::NOTCONN),
            Some(Socket::Unix(_)) => Err(Errno::AFNOSUPPORT),
            None => Err(Errno::BADF),
        })
    }

    /// Lets `f` at the options.
    pub(crate) fn options<R>(&self, f: impl FnOnce(&mut Options) -> R) -> io::Result<R> {
        call(|state| match state.socket(self.0) {
            Some(&mut Socket::Stream { connection, side }) => {
                let of =
                    |_: &mut State, connection: &mut Connection| f(&mut connection.ends[usize::from(side)].options);
                state.at(connection, of).ok_or(Errno::BADF)
            }
            Some(Socket::Listener(listener)) => Ok(f(&mut listener.options)),
            Some(Socket::Datagram(datagram)) => Ok(f(&mut datagram.options)),
            Some(Socket::Unix(_)) => Err(Errno::OPNOTSUPP),
            None => Err(Errno::BADF),
        })
    }

    pub(crate) fn number(&self) -> u32 {
        self.0
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let _ = call(|state| {
            state.close(self.0);
            Ok(())
        });
    }
}

impl AsFd for Endpoint {
    fn as_fd(&self) -> BorrowedFd<'_> {
        no_socket()
    }
}

impl State {
    /// The last handle to a socket is gone.
    fn close(&mut self, number: u32) {
        match self.socket(number) {
            Some(Socket::Listener(_)) => self.reset_backlog(number),
            Some(Socket::Unix(_)) => return self.close_unix(number),
            _ => {}
        }
        match self.take_socket(number) {
            Some(Socket::Stream { connection, side }) => {
                let of = self.at(connection, |_, connection| {
                    let end = &connection.ends[usize::from(side)];
                    (end.phase != Phase::Absent).then_some(end.machine)
                });
                if let Some(machine) = of.flatten() {
                    self.machine(machine).descriptors -= 1;
                }
                self.close_stream(connection, side.into());
            }
            Some(Socket::Listener(listener)) => {
                let machine = self.machine(listener.machine);
                machine.tcp.release(listener.addr, number);
                machine.descriptors -= 1;
            }
            Some(Socket::Datagram(datagram)) => {
                let machine = self.machine(datagram.machine);
                machine.udp.release(datagram.addr, number);
                machine.descriptors -= 1;
            }
            Some(Socket::Unix(_)) | None => {}
        }
    }
}
