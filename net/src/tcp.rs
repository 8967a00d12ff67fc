//! TCP: connections, and the listener that accepts them.

mod connect;
mod incoming;
mod listener;
mod options;
mod stream;

pub use incoming::Incoming;
pub use listener::TcpListener;
pub use options::Keepalive;
pub use stream::TcpStream;
