//! From what a user writes to socket addresses, without blocking a worker.
//!
//! Invariant: what contains a literal address is parsed in place; only names go to the blocking pool, where std's
//! resolver (`getaddrinfo`) blocks a thread of the pool instead of a worker.

use std::io;
use std::net::{self, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::{iter, option, slice, vec};

use fibra_scheduler::{blocking, cancel};

use crate::sim;

/// What can be resolved to socket addresses: addresses, pairs of host and port, `"host:port"`.
///
/// ```
/// use fibra_net::ToSocketAddrs;
///
/// let mut addrs = ("127.0.0.1", 7000).to_socket_addrs()?;
/// assert_eq!(addrs.next(), Some(([127, 0, 0, 1], 7000).into()));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Differences from std
///
/// A trait of its own, for the same types: std's resolver would block the worker and all its fibers. Here, on a fiber,
/// names are resolved on the [blocking pool](fibra_scheduler::blocking) while the fiber parks. On a plain thread it is
/// std's.
pub trait ToSocketAddrs {
    /// The addresses, in the order in which to try them.
    type Iter: Iterator<Item = SocketAddr>;

    /// Resolves to addresses; parks the fiber if that takes a resolver.
    ///
    /// # Errors
    ///
    /// As std's: `InvalidInput` for what is no `host:port`; what the resolver reports for names it cannot resolve. And
    /// what [`blocking`](fibra_scheduler::blocking) reports if its pool is overloaded.
    fn to_socket_addrs(&self) -> io::Result<Self::Iter>;

    /// The `host:port` that takes a resolver, for who wants to ask it again later: the addresses of a name change. `None`, which is what an
    /// implementation need not write: the addresses are all there is.
    ///
    /// ```
    /// use fibra_net::ToSocketAddrs;
    ///
    /// assert_eq!(("localhost", 7000).name().as_deref(), Some("localhost:7000"));
    /// assert_eq!("127.0.0.1:7000".name(), None);
    /// ```
    fn name(&self) -> Option<String> {
        None
    }
}

/// Each of these is one address, which needs no resolver.
macro_rules! literal {
    ($($address:ty),+) => {$(
        impl ToSocketAddrs for $address {
            type Iter = option::IntoIter<SocketAddr>;

            fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
                net::ToSocketAddrs::to_socket_addrs(self)
            }
        }
    )+};
}

literal!(SocketAddr, SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16));

impl ToSocketAddrs for (&str, u16) {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        let (host, port) = *self;
        match host.parse::<IpAddr>() {
            Ok(ip) => Ok(vec![SocketAddr::new(ip, port)].into_iter()),
            Err(_) if sim::is_here() => simulated(host, port),
            Err(_) => resolve((host.to_owned(), port)),
        }
    }

    fn name(&self) -> Option<String> {
        let (host, port) = *self;
        host.parse::<IpAddr>().is_err().then(|| format!("{host}:{port}"))
    }
}

impl ToSocketAddrs for (String, u16) {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        (self.0.as_str(), self.1).to_socket_addrs()
    }

    fn name(&self) -> Option<String> {
        (self.0.as_str(), self.1).name()
    }
}

impl ToSocketAddrs for str {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        match self.parse() {
            Ok(addr) => Ok(vec![addr].into_iter()),
            Err(_) if sim::is_here() => {
                let invalid = |what| io::Error::new(io::ErrorKind::InvalidInput, what);
                let (host, port) = self.rsplit_once(':').ok_or_else(|| invalid("invalid socket address"))?;
                simulated(host, port.parse().map_err(|_error| invalid("invalid port value"))?)
            }
            Err(_) => resolve(self.to_owned()),
        }
    }

    fn name(&self) -> Option<String> {
        self.parse::<SocketAddr>().is_err().then(|| self.to_owned())
    }
}

impl ToSocketAddrs for String {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        self.as_str().to_socket_addrs()
    }

    fn name(&self) -> Option<String> {
        self.as_str().name()
    }
}

impl<'a> ToSocketAddrs for &'a [SocketAddr] {
    type Iter = iter::Copied<slice::Iter<'a, SocketAddr>>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        Ok(self.iter().copied())
    }
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {
    type Iter = T::Iter;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        (**self).to_socket_addrs()
    }

    fn name(&self) -> Option<String> {
        (**self).name()
    }
}

/// The addresses of a host of the simulation.
fn simulated(host: &str, port: u16) -> io::Result<vec::IntoIter<SocketAddr>> {
    let addrs: Vec<_> = sim::lookup(host)?.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
    Ok(addrs.into_iter())
}

/// std's resolver, off the workers.
fn resolve<A>(name: A) -> io::Result<vec::IntoIter<SocketAddr>>
where
    A: net::ToSocketAddrs<Iter = vec::IntoIter<SocketAddr>> + Send + 'static,
{
    blocking(move || name.to_socket_addrs())?
}

/// Calls `f` with each address until it succeeds. Ends with the last error, as std.
pub(crate) fn each_addr<A: ToSocketAddrs, T>(
    addrs: A,
    mut f: impl FnMut(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut last = None;
    for addr in addrs.to_socket_addrs()? {
        match f(addr) {
            Ok(value) => return Ok(value),
            Err(error) => last = Some(error),
        }
        // A cancelled fiber has no business with the other addresses.
        cancel::check()?;
    }
    Err(last.unwrap_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "could not resolve to any addresses")))
}
