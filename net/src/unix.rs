//! Unix domain sockets: streams, listeners and datagrams between processes of one host, by paths.

mod credentials;
mod datagram;
mod incoming;
mod listener;
mod stream;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub use credentials::UCred;
pub use datagram::UnixDatagram;
pub use incoming::Incoming;
pub use listener::UnixListener;
/// std's own. On Linux, [`SocketAddrExt`](std::os::linux::net::SocketAddrExt) makes abstract ones.
pub use std::os::unix::net::SocketAddr;
pub use stream::UnixStream;
