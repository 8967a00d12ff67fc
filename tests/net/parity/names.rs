//! Each stable method of std's types, by its own name and with its own signature: the same lines for std and for fibra. What compiles for one
//! and not for the other is a gap, unless "Differences from std" says so.

#![expect(clippy::type_complexity, reason = "signatures are what this is about")]

use super::cases;

/// Takes a method for what its type says.
macro_rules! signatures {
    ($log:ident: $($($name:ident)::+: $signature:ty;)+) => {
        $({
            let _: $signature = $($name)::+;
            $log.note(stringify!($($name)::+), Ok(()));
        })+
    };
}

cases! {
    kernel only;
    use {
        use std::fmt::Debug;
        use std::io::{Error, IoSlice, IoSliceMut, Read, Result, Write};
        use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
        use std::os::fd::{AsFd, AsRawFd};
        use std::os::unix::net::SocketAddr as UnixAddr;
        use std::path::Path;
        use std::time::Duration;

        type Timeout = Option<Duration>;

        fn is_a_stream<T>()
        where
            T: Read + Write + AsFd + AsRawFd + Debug + Send + Sync,
            for<'a> &'a T: Read + Write,
        {
        }

        fn is_a_socket<T: AsFd + AsRawFd + Debug + Send + Sync>() {}
    }

    fn of_tcp_streams(log) {
        is_a_stream::<TcpStream>();
        signatures! {log:
            TcpStream::connect: fn(SocketAddr) -> Result<TcpStream>;
            TcpStream::connect: fn((Ipv4Addr, u16)) -> Result<TcpStream>;
            TcpStream::connect: fn((Ipv6Addr, u16)) -> Result<TcpStream>;
            TcpStream::connect: fn((&'static str, u16)) -> Result<TcpStream>;
            TcpStream::connect: fn((String, u16)) -> Result<TcpStream>;
            TcpStream::connect: fn(&'static str) -> Result<TcpStream>;
            TcpStream::connect: fn(String) -> Result<TcpStream>;
            TcpStream::connect: fn(&'static String) -> Result<TcpStream>;
            TcpStream::connect: fn(&'static [SocketAddr]) -> Result<TcpStream>;
            TcpStream::connect_timeout: fn(&SocketAddr, Duration) -> Result<TcpStream>;
            TcpStream::peer_addr: fn(&TcpStream) -> Result<SocketAddr>;
            TcpStream::local_addr: fn(&TcpStream) -> Result<SocketAddr>;
            TcpStream::shutdown: fn(&TcpStream, Shutdown) -> Result<()>;
            TcpStream::try_clone: fn(&TcpStream) -> Result<TcpStream>;
            TcpStream::set_read_timeout: fn(&TcpStream, Timeout) -> Result<()>;
            TcpStream::set_write_timeout: fn(&TcpStream, Timeout) -> Result<()>;
            TcpStream::read_timeout: fn(&TcpStream) -> Result<Timeout>;
            TcpStream::write_timeout: fn(&TcpStream) -> Result<Timeout>;
            TcpStream::peek: fn(&TcpStream, &mut [u8]) -> Result<usize>;
            TcpStream::set_nodelay: fn(&TcpStream, bool) -> Result<()>;
            TcpStream::nodelay: fn(&TcpStream) -> Result<bool>;
            TcpStream::set_ttl: fn(&TcpStream, u32) -> Result<()>;
            TcpStream::ttl: fn(&TcpStream) -> Result<u32>;
            TcpStream::take_error: fn(&TcpStream) -> Result<Option<Error>>;
            TcpStream::set_nonblocking: fn(&TcpStream, bool) -> Result<()>;
            TcpStream::read: fn(&mut TcpStream, &mut [u8]) -> Result<usize>;
            TcpStream::read_vectored: fn(&mut TcpStream, &mut [IoSliceMut<'_>]) -> Result<usize>;
            TcpStream::write: fn(&mut TcpStream, &[u8]) -> Result<usize>;
            TcpStream::write_vectored: fn(&mut TcpStream, &[IoSlice<'_>]) -> Result<usize>;
            TcpStream::flush: fn(&mut TcpStream) -> Result<()>;
        }
        Ok(())
    }

    fn of_tcp_listeners(log) {
        is_a_socket::<TcpListener>();
        signatures! {log:
            TcpListener::bind: fn(SocketAddr) -> Result<TcpListener>;
            TcpListener::bind: fn(&'static str) -> Result<TcpListener>;
            TcpListener::local_addr: fn(&TcpListener) -> Result<SocketAddr>;
            TcpListener::try_clone: fn(&TcpListener) -> Result<TcpListener>;
            TcpListener::accept: fn(&TcpListener) -> Result<(TcpStream, SocketAddr)>;
            TcpListener::set_ttl: fn(&TcpListener, u32) -> Result<()>;
            TcpListener::ttl: fn(&TcpListener) -> Result<u32>;
            TcpListener::take_error: fn(&TcpListener) -> Result<Option<Error>>;
            TcpListener::set_nonblocking: fn(&TcpListener, bool) -> Result<()>;
        }
        fn is_endless(listener: &TcpListener) -> impl Iterator<Item = Result<TcpStream>> + Debug {
            listener.incoming()
        }
        let _ = is_endless;
        Ok(())
    }

    fn of_udp_sockets(log) {
        is_a_socket::<UdpSocket>();
        signatures! {log:
            UdpSocket::bind: fn(SocketAddr) -> Result<UdpSocket>;
            UdpSocket::connect: fn(&UdpSocket, SocketAddr) -> Result<()>;
            UdpSocket::send_to: fn(&UdpSocket, &[u8], SocketAddr) -> Result<usize>;
            UdpSocket::recv_from: fn(&UdpSocket, &mut [u8]) -> Result<(usize, SocketAddr)>;
            UdpSocket::peek_from: fn(&UdpSocket, &mut [u8]) -> Result<(usize, SocketAddr)>;
            UdpSocket::send: fn(&UdpSocket, &[u8]) -> Result<usize>;
            UdpSocket::recv: fn(&UdpSocket, &mut [u8]) -> Result<usize>;
            UdpSocket::peek: fn(&UdpSocket, &mut [u8]) -> Result<usize>;
            UdpSocket::peer_addr: fn(&UdpSocket) -> Result<SocketAddr>;
            UdpSocket::local_addr: fn(&UdpSocket) -> Result<SocketAddr>;
            UdpSocket::try_clone: fn(&UdpSocket) -> Result<UdpSocket>;
            UdpSocket::set_read_timeout: fn(&UdpSocket, Timeout) -> Result<()>;
            UdpSocket::set_write_timeout: fn(&UdpSocket, Timeout) -> Result<()>;
            UdpSocket::read_timeout: fn(&UdpSocket) -> Result<Timeout>;
            UdpSocket::write_timeout: fn(&UdpSocket) -> Result<Timeout>;
            UdpSocket::set_broadcast: fn(&UdpSocket, bool) -> Result<()>;
            UdpSocket::broadcast: fn(&UdpSocket) -> Result<bool>;
            UdpSocket::set_multicast_loop_v4: fn(&UdpSocket, bool) -> Result<()>;
            UdpSocket::multicast_loop_v4: fn(&UdpSocket) -> Result<bool>;
            UdpSocket::set_multicast_ttl_v4: fn(&UdpSocket, u32) -> Result<()>;
            UdpSocket::multicast_ttl_v4: fn(&UdpSocket) -> Result<u32>;
            UdpSocket::set_multicast_loop_v6: fn(&UdpSocket, bool) -> Result<()>;
            UdpSocket::multicast_loop_v6: fn(&UdpSocket) -> Result<bool>;
            UdpSocket::set_ttl: fn(&UdpSocket, u32) -> Result<()>;
            UdpSocket::ttl: fn(&UdpSocket) -> Result<u32>;
            UdpSocket::join_multicast_v4: fn(&UdpSocket, &Ipv4Addr, &Ipv4Addr) -> Result<()>;
            UdpSocket::join_multicast_v6: fn(&UdpSocket, &Ipv6Addr, u32) -> Result<()>;
            UdpSocket::leave_multicast_v4: fn(&UdpSocket, &Ipv4Addr, &Ipv4Addr) -> Result<()>;
            UdpSocket::leave_multicast_v6: fn(&UdpSocket, &Ipv6Addr, u32) -> Result<()>;
            UdpSocket::take_error: fn(&UdpSocket) -> Result<Option<Error>>;
            UdpSocket::set_nonblocking: fn(&UdpSocket, bool) -> Result<()>;
        }
        Ok(())
    }

    fn of_unix_streams(log) {
        is_a_stream::<UnixStream>();
        signatures! {log:
            UnixStream::connect: fn(&'static Path) -> Result<UnixStream>;
            UnixStream::connect: fn(&'static str) -> Result<UnixStream>;
            UnixStream::connect_addr: fn(&UnixAddr) -> Result<UnixStream>;
            UnixStream::pair: fn() -> Result<(UnixStream, UnixStream)>;
            UnixStream::try_clone: fn(&UnixStream) -> Result<UnixStream>;
            UnixStream::local_addr: fn(&UnixStream) -> Result<UnixAddr>;
            UnixStream::peer_addr: fn(&UnixStream) -> Result<UnixAddr>;
            UnixStream::set_read_timeout: fn(&UnixStream, Timeout) -> Result<()>;
            UnixStream::set_write_timeout: fn(&UnixStream, Timeout) -> Result<()>;
            UnixStream::read_timeout: fn(&UnixStream) -> Result<Timeout>;
            UnixStream::write_timeout: fn(&UnixStream) -> Result<Timeout>;
            UnixStream::set_nonblocking: fn(&UnixStream, bool) -> Result<()>;
            UnixStream::take_error: fn(&UnixStream) -> Result<Option<Error>>;
            UnixStream::shutdown: fn(&UnixStream, Shutdown) -> Result<()>;
            UnixStream::read: fn(&mut UnixStream, &mut [u8]) -> Result<usize>;
            UnixStream::read_vectored: fn(&mut UnixStream, &mut [IoSliceMut<'_>]) -> Result<usize>;
            UnixStream::write: fn(&mut UnixStream, &[u8]) -> Result<usize>;
            UnixStream::write_vectored: fn(&mut UnixStream, &[IoSlice<'_>]) -> Result<usize>;
            UnixStream::flush: fn(&mut UnixStream) -> Result<()>;
        }
        Ok(())
    }

    fn of_unix_listeners(log) {
        is_a_socket::<UnixListener>();
        signatures! {log:
            UnixListener::bind: fn(&'static Path) -> Result<UnixListener>;
            UnixListener::bind_addr: fn(&UnixAddr) -> Result<UnixListener>;
            UnixListener::accept: fn(&UnixListener) -> Result<(UnixStream, UnixAddr)>;
            UnixListener::try_clone: fn(&UnixListener) -> Result<UnixListener>;
            UnixListener::local_addr: fn(&UnixListener) -> Result<UnixAddr>;
            UnixListener::set_nonblocking: fn(&UnixListener, bool) -> Result<()>;
            UnixListener::take_error: fn(&UnixListener) -> Result<Option<Error>>;
        }
        fn are_incoming(listener: &UnixListener) -> [Box<dyn Iterator<Item = Result<UnixStream>> + '_>; 2] {
            [Box::new(listener.incoming()), Box::new(listener.into_iter())]
        }
        let _ = are_incoming;
        Ok(())
    }

    fn of_unix_datagrams(log) {
        is_a_socket::<UnixDatagram>();
        signatures! {log:
            UnixDatagram::bind: fn(&'static Path) -> Result<UnixDatagram>;
            UnixDatagram::bind_addr: fn(&UnixAddr) -> Result<UnixDatagram>;
            UnixDatagram::unbound: fn() -> Result<UnixDatagram>;
            UnixDatagram::pair: fn() -> Result<(UnixDatagram, UnixDatagram)>;
            UnixDatagram::connect: fn(&UnixDatagram, &'static Path) -> Result<()>;
            UnixDatagram::connect_addr: fn(&UnixDatagram, &UnixAddr) -> Result<()>;
            UnixDatagram::try_clone: fn(&UnixDatagram) -> Result<UnixDatagram>;
            UnixDatagram::local_addr: fn(&UnixDatagram) -> Result<UnixAddr>;
            UnixDatagram::peer_addr: fn(&UnixDatagram) -> Result<UnixAddr>;
            UnixDatagram::recv_from: fn(&UnixDatagram, &mut [u8]) -> Result<(usize, UnixAddr)>;
            UnixDatagram::recv: fn(&UnixDatagram, &mut [u8]) -> Result<usize>;
            UnixDatagram::send_to: fn(&UnixDatagram, &[u8], &'static Path) -> Result<usize>;
            UnixDatagram::send_to_addr: fn(&UnixDatagram, &[u8], &UnixAddr) -> Result<usize>;
            UnixDatagram::send: fn(&UnixDatagram, &[u8]) -> Result<usize>;
            UnixDatagram::set_read_timeout: fn(&UnixDatagram, Timeout) -> Result<()>;
            UnixDatagram::set_write_timeout: fn(&UnixDatagram, Timeout) -> Result<()>;
            UnixDatagram::read_timeout: fn(&UnixDatagram) -> Result<Timeout>;
            UnixDatagram::write_timeout: fn(&UnixDatagram) -> Result<Timeout>;
            UnixDatagram::set_nonblocking: fn(&UnixDatagram, bool) -> Result<()>;
            UnixDatagram::take_error: fn(&UnixDatagram) -> Result<Option<Error>>;
            UnixDatagram::shutdown: fn(&UnixDatagram, Shutdown) -> Result<()>;
        }
        Ok(())
    }
}
