//! Names of Unix sockets: paths, and the abstract ones that Linux has beside them. Each machine has names of its own.
//!
//! Invariants:
//! * A name leads to at most one socket.
//! * A path that was bound stays, as its file would, when its socket is closed or its machine crashes: who connects is refused. It can be bound
//!   anew, as if the file had been removed before, which nobody can do here.

use std::collections::BTreeMap;
use std::io;
#[cfg(target_os = "android")]
use std::os::android::net::SocketAddrExt;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use rustix::io::Errno;

/// See the [module](self).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    /// Compared part by part, as paths are.
    Path(Box<Path>),
    Abstract(Box<[u8]>),
}

/// The name that a call asks for; `None`: an address that is empty.
pub(super) type Wanted = Option<Name>;

impl Name {
    /// What `addr` asks for.
    pub(super) fn of(addr: &SocketAddr) -> Wanted {
        if let Some(path) = addr.as_pathname() {
            return Some(Self::Path(path.into()));
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        return addr.as_abstract_name().map(|name| Self::Abstract(name.into()));
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        None
    }

    /// As std has it.
    pub(super) fn addr(name: Option<&Self>) -> io::Result<SocketAddr> {
        match name {
            None => SocketAddr::from_pathname(""),
            Some(Self::Path(path)) => SocketAddr::from_pathname(path),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Some(Self::Abstract(name)) => SocketAddr::from_abstract_name(name),
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            Some(Self::Abstract(_)) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// The names of a machine.
#[derive(Debug, Default)]
pub(in crate::sim) struct Names {
    /// Where they lead; nowhere: to a file whose socket is gone.
    bound: BTreeMap<Name, Option<u32>>,
    /// How many it has chosen itself.
    chosen: u32,
}

impl Names {
    /// Gives `socket` the name that it wants; an abstract one if it wants none.
    pub(super) fn bind(&mut self, wanted: Wanted, socket: u32) -> Result<Name, Errno> {
        let name = wanted.unwrap_or_else(|| {
            self.chosen += 1;
            // As Linux's: five digits, but theirs are random.
            Name::Abstract(format!("{:05x}", self.chosen).into_bytes().into())
        });
        let place = self.bound.entry(name.clone()).or_default();
        if place.is_some() {
            return Err(Errno::ADDRINUSE);
        }
        *place = Some(socket);
        Ok(name)
    }

    /// The socket of that name.
    pub(super) fn find(&self, wanted: &Wanted) -> Result<u32, Errno> {
        let name = wanted.as_ref().ok_or(Errno::INVAL)?;
        match (self.bound.get(name), name) {
            (Some(Some(socket)), _) => Ok(*socket),
            (Some(None), _) | (None, Name::Abstract(_)) => Err(Errno::CONNREFUSED),
            (None, Name::Path(_)) => Err(Errno::NOENT),
        }
    }

    /// `socket` is gone. It may be one that only goes by the name, as those do that a listener has accepted.
    pub(super) fn release(&mut self, name: &Name, socket: u32) {
        match self.bound.get_mut(name) {
            Some(place) if *place == Some(socket) => *place = None,
            _ => return,
        }
        if matches!(name, Name::Abstract(_)) {
            self.bound.remove(name);
        }
    }

    /// All sockets are gone.
    pub(in crate::sim) fn lose_sockets(&mut self) {
        self.bound.retain(|name, _| matches!(name, Name::Path(_)));
        self.bound.values_mut().for_each(|place| *place = None);
    }
}
