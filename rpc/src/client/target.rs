//! Where a server is: its addresses, and the name that they came from.
//!
//! Invariants:
//! * The address that answered last is tried first: it is the one that has the session.
//! * A name is looked up again only after all of its addresses have failed. A look-up that fails or finds nothing changes nothing.

use std::io;
use std::net::SocketAddr;

use fibra_net::ToSocketAddrs;
use fibra_scheduler::cancel;

use crate::error::ConnectError;

/// See the [module](self).
#[derive(Clone, Debug)]
pub(super) struct Target {
    addrs: Vec<SocketAddr>,
    /// What is to be looked up again.
    name: Option<String>,
}

impl Target {
    /// Looks up where `addr` is.
    ///
    /// # Errors
    ///
    /// [`ConnectError::Resolve`]: nowhere.
    pub(super) fn of(addr: impl ToSocketAddrs) -> Result<Self, ConnectError> {
        let addrs: Vec<_> = addr.to_socket_addrs().map_err(|error| unresolved(&addr, error))?.collect();
        if addrs.is_empty() {
            return Err(unresolved(&addr, io::Error::new(io::ErrorKind::NotFound, "it has no addresses")));
        }
        Ok(Self { addrs, name: addr.name() })
    }

    /// The addresses, in the order in which to try them. There is one.
    pub(super) fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// The one to try first.
    pub(super) fn first(&self) -> SocketAddr {
        // There is one.
        self.addrs[0]
    }

    /// That address has answered.
    pub(super) fn answered(&mut self, peer: SocketAddr) {
        if let Some(at) = self.addrs.iter().position(|addr| *addr == peer) {
            self.addrs[..=at].rotate_right(1);
        }
    }

    /// The server at the first address is going down: the others are tried before it.
    pub(super) fn left(&mut self) {
        self.addrs.rotate_left(1);
    }

    /// All addresses have failed: others may have taken their place.
    pub(super) fn look_up_again(&mut self) {
        self.look_up_by(|name| Ok(name.to_socket_addrs()?.collect()));
    }

    fn look_up_by(&mut self, resolve: impl FnOnce(&str) -> io::Result<Vec<SocketAddr>>) {
        let Some(name) = &self.name else { return };
        match resolve(name) {
            Ok(addrs) if !addrs.is_empty() => self.addrs = addrs,
            Ok(_) => {}
            Err(error) => tracing::debug!(name, %error, "looking up a server again failed"),
        }
    }
}

/// Says which name it was. Who was interrupted is told just that.
fn unresolved(addr: &impl ToSocketAddrs, error: io::Error) -> ConnectError {
    ConnectError::Resolve(match addr.name().filter(|_| cancel::check().is_ok()) {
        Some(name) => io::Error::new(error.kind(), format!("{name}: {error}")),
        None => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[test]
    fn who_answered_last_is_asked_first() {
        let mut target = Target::of(&[addr(1), addr(2), addr(3)][..]).expect("three");
        target.answered(addr(3));
        assert_eq!(target.addrs(), [addr(3), addr(1), addr(2)]);
        target.answered(addr(9));
        assert_eq!(target.addrs(), [addr(3), addr(1), addr(2)], "one that is gone since");
    }

    #[test]
    fn a_name_has_other_addresses_later() {
        let mut target = Target { addrs: vec![addr(1)], name: Some("server:1".to_owned()) };
        target.look_up_by(|_| Err(io::ErrorKind::TimedOut.into()));
        target.look_up_by(|_| Ok(Vec::new()));
        assert_eq!(target.addrs(), [addr(1)]);
        target.look_up_by(|name| {
            assert_eq!(name, "server:1");
            Ok(vec![addr(2), addr(3)])
        });
        assert_eq!(target.addrs(), [addr(2), addr(3)]);
    }

    #[test]
    fn no_name_no_look_up() {
        let mut target = Target::of(addr(1)).expect("one");
        target.look_up_by(|_| unreachable!("it is an address"));
        let error = Target::of(&[][..]).expect_err("there is none");
        assert_eq!(error.to_string(), "cannot resolve the server's address: it has no addresses");
    }

    #[test]
    fn an_error_says_which_name_it_was() {
        let error = Target::of("no port").expect_err("it has none");
        assert!(error.to_string().starts_with("cannot resolve the server's address: no port: "), "{error}");
    }
}
