//! The options of a TCP connection: those of std, and those that servers cannot do without.

use std::io;
use std::net::TcpStream as TcpSocket;
use std::time::Duration;

use rustix::net::sockopt;

use super::TcpStream;

/// When the kernel probes a peer of which nothing has been heard, and gives the connection up. See [`TcpStream::set_keepalive`].
///
/// ```
/// use std::time::Duration;
///
/// // A peer that is gone is noticed after 60 + 3 * 10 seconds.
/// let keepalive =
///     fibra_net::Keepalive { idle: Duration::from_secs(60), interval: Duration::from_secs(10), probes: 3 };
/// assert!(keepalive.idle < fibra_net::Keepalive::default().idle);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// How long nothing is heard before the first probe, in whole seconds (`TCP_KEEPIDLE`). Default: two hours.
    pub idle: Duration,
    /// How long the answer to a probe may take before the next one, in whole seconds (`TCP_KEEPINTVL`). Default: 75 s.
    pub interval: Duration,
    /// How many probes stay unanswered before the connection has failed (`TCP_KEEPCNT`). Default: 9.
    pub probes: u32,
}

/// The kernel's own values.
impl Default for Keepalive {
    fn default() -> Self {
        Self { idle: Duration::from_secs(2 * 3600), interval: Duration::from_secs(75), probes: 9 }
    }
}

impl TcpStream {
    /// With `true` (`TCP_NODELAY`), small writes are sent at once instead of waiting for the acknowledgement of the last one.
    /// Default: `false`, the kernel's.
    ///
    /// # Errors
    ///
    /// What `setsockopt` reports.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket.io().option(|io| io.set_nodelay(nodelay), |options| options.nodelay = nodelay)
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// What `getsockopt` reports.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.socket.io().option(|io| io.nodelay(), |options| options.nodelay)
    }

    /// Sets the time to live (`IP_TTL`) of the packets, in hops.
    ///
    /// # Errors
    ///
    /// What `setsockopt` reports.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket.io().option(|io| io.set_ttl(ttl).map(Ok), |options| options.set_ttl(ttl))?
    }

    /// The time to live (`IP_TTL`), in hops.
    ///
    /// # Errors
    ///
    /// What `getsockopt` reports.
    pub fn ttl(&self) -> io::Result<u32> {
        self.socket.io().option(|io| io.ttl(), |options| options.ttl)
    }

    /// What closing does with data that the peer has not acknowledged (`SO_LINGER`, in whole seconds). `None`, the default: it is sent in
    /// the background. Zero: it is thrown away, and the peer sees a reset. Else the drop of the last clone waits for up to so
    /// long until the data has arrived; on a fiber that parks, and takes a thread of the [blocking pool](fibra_scheduler::blocking).
    ///
    /// # Errors
    ///
    /// What `setsockopt` reports; `EMFILE`, since waiting takes a second descriptor.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        let kernel = |io: &TcpSocket| {
            self.socket.set_lingering(linger.is_some_and(|linger| !linger.is_zero()))?;
            Ok(sockopt::set_socket_linger(io, linger)?)
        };
        self.socket.io().option(kernel, |options| options.linger = linger)
    }

    /// What closing does with data that has not arrived; see [`set_linger`](Self::set_linger).
    ///
    /// # Errors
    ///
    /// What `getsockopt` reports.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.socket.io().option(|io| Ok(sockopt::socket_linger(io)?), |options| options.linger)
    }

    /// Has the kernel probe a peer that is silent (`SO_KEEPALIVE`), so that one that is gone fails reads with `TimedOut` instead of
    /// letting them wait for ever. `None`, the default, does not.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for values that the kernel does not take (above 32,767 s, or no probes).
    pub fn set_keepalive(&self, keepalive: Option<Keepalive>) -> io::Result<()> {
        let kernel = |io: &TcpSocket| {
            if let Some(Keepalive { idle, interval, probes }) = keepalive {
                sockopt::set_tcp_keepidle(io, idle)?;
                sockopt::set_tcp_keepintvl(io, interval)?;
                sockopt::set_tcp_keepcnt(io, probes)?;
            }
            Ok(sockopt::set_socket_keepalive(io, keepalive.is_some())?)
        };
        self.socket.io().option(kernel, |options| options.keepalive = keepalive)
    }

    /// Whether and when the kernel probes a peer that is silent; see [`set_keepalive`](Self::set_keepalive).
    ///
    /// # Errors
    ///
    /// What `getsockopt` reports.
    pub fn keepalive(&self) -> io::Result<Option<Keepalive>> {
        let kernel = |io: &TcpSocket| {
            if !sockopt::socket_keepalive(io)? {
                return Ok(None);
            }
            Ok(Some(Keepalive {
                idle: sockopt::tcp_keepidle(io)?,
                interval: sockopt::tcp_keepintvl(io)?,
                probes: sockopt::tcp_keepcnt(io)?,
            }))
        };
        self.socket.io().option(kernel, |options| options.keepalive)
    }

    /// How long data may stay unacknowledged before the connection has failed with `TimedOut` (`TCP_USER_TIMEOUT`, RFC 5482), in whole
    /// milliseconds. `None`, the default: as long as the kernel retransmits, about 15 minutes.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for zero and for more than 24 days.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn set_user_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        let millis = match timeout {
            None => 0,
            Some(timeout) => match i32::try_from(timeout.as_millis()) {
                Ok(millis @ 1..) => millis.cast_unsigned(),
                _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "from 1 ms to 24 days")),
            },
        };
        let kernel = |io: &TcpSocket| Ok(sockopt::set_tcp_user_timeout(io, millis)?);
        self.socket.io().option(kernel, |options| options.user_timeout = timeout)
    }

    /// How long data may stay unacknowledged; see [`set_user_timeout`](Self::set_user_timeout).
    ///
    /// # Errors
    ///
    /// What `getsockopt` reports.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn user_timeout(&self) -> io::Result<Option<Duration>> {
        let kernel = |io: &TcpSocket| {
            let millis = sockopt::tcp_user_timeout(io)?;
            Ok((millis != 0).then(|| Duration::from_millis(millis.into())))
        };
        self.socket.io().option(kernel, |options| options.user_timeout)
    }

    /// With `true` (`TCP_QUICKACK`), data is acknowledged at once instead of together with what is sent next. The kernel takes that back
    /// by itself; std has it in [`TcpStreamExt`](std::os::linux::net::TcpStreamExt).
    ///
    /// # Errors
    ///
    /// What `setsockopt` reports.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn set_quickack(&self, quickack: bool) -> io::Result<()> {
        let kernel = |io: &TcpSocket| Ok(sockopt::set_tcp_quickack(io, quickack)?);
        self.socket.io().option(kernel, |options| options.quickack = quickack)
    }

    /// Whether data is acknowledged at once (`TCP_QUICKACK`).
    ///
    /// # Errors
    ///
    /// What `getsockopt` reports.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn quickack(&self) -> io::Result<bool> {
        self.socket.io().option(|io| Ok(sockopt::tcp_quickack(io)?), |options| options.quickack)
    }
}
