//! A peer's address in two words instead of four: every connection has one, and most are of IPv4.

use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};

/// See the [module](self).
#[derive(Clone, Debug)]
pub(super) enum PeerAddr {
    V4(SocketAddrV4),
    V6(Box<SocketAddrV6>),
}

impl PeerAddr {
    #[inline]
    pub(super) fn get(&self) -> SocketAddr {
        match self {
            Self::V4(addr) => SocketAddr::V4(*addr),
            Self::V6(addr) => SocketAddr::V6(**addr),
        }
    }
}

impl From<SocketAddr> for PeerAddr {
    fn from(addr: SocketAddr) -> Self {
        match addr {
            SocketAddr::V4(addr) => Self::V4(addr),
            SocketAddr::V6(addr) => Self::V6(Box::new(addr)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_address_that_it_was_made_from() {
        for addr in ["10.1.2.3:65535", "[fe80::1%7]:1", "[::ffff:10.1.2.3]:0"] {
            let addr: SocketAddr = addr.parse().expect("an address");
            assert_eq!(PeerAddr::from(addr).get(), addr);
        }
    }
}
