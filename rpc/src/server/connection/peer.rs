//! A peer's address in six bytes instead of 32: every connection has one, and most are of IPv4. One of IPv6 is among the [extras](Extras).

use std::cell::OnceCell;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use super::extras::Extras;

/// See the [module](self).
#[derive(Clone, Copy, Debug)]
pub(super) struct PeerAddr(SocketAddrV4);

impl PeerAddr {
    /// What is kept of `addr`, and the extras where the rest is.
    pub(super) fn of(addr: SocketAddr) -> (Self, OnceCell<Box<Extras>>) {
        match addr {
            SocketAddr::V4(addr) => (Self(addr), OnceCell::new()),
            SocketAddr::V6(addr) => {
                let extras = Box::new(Extras { peer: Some(addr), ..Extras::default() });
                (Self(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)), extras.into())
            }
        }
    }

    #[inline]
    pub(super) fn get(self, extras: &OnceCell<Box<Extras>>) -> SocketAddr {
        extras.get().and_then(|extras| extras.peer).map_or(SocketAddr::V4(self.0), SocketAddr::V6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_address_that_it_was_made_from() {
        for addr in ["10.1.2.3:65535", "[fe80::1%7]:1", "[::ffff:10.1.2.3]:0"] {
            let addr: SocketAddr = addr.parse().expect("an address");
            let (peer, extras) = PeerAddr::of(addr);
            assert_eq!(peer.get(&extras), addr);
            assert_eq!(extras.get().is_some(), addr.is_ipv6());
        }
        assert!(size_of::<PeerAddr>() <= 6);
    }
}
