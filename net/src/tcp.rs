//! TCP: connections, and the listener that accepts them.

mod incoming;
mod listener;
mod stream;

pub use incoming::Incoming;
pub use listener::TcpListener;
pub use stream::TcpStream;
