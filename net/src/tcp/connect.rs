//! Connecting: to one address, or to whichever of several is there first (RFC 8305, "happy eyeballs").
//!
//! ```text
//!   addresses   6a 6b 4a 4b ─interleaved─▶ 6a 4a 6b 4b
//!
//!   0 ms        6a ──────────────────────────▶ dropped, since 4a has won
//!   250 ms           4a ─ refused
//!                         6b ────────▶ dropped
//!   + 250 ms                   4b ────▶ connected
//! ```
//!
//! Invariants:
//! * An attempt is begun when none is under way, when one has failed, and when [`ATTEMPT_DELAY`] has passed since the last.
//! * All attempts are the calling fiber's: it waits for all of them at once, spawns nothing, and takes them along when it ends.

use std::collections::VecDeque;
use std::io;
use std::net::{self, SocketAddr};
use std::time::{Duration, Instant};

use fibra_scheduler::{cancel, clock};
use rustix::io::Errno;

use super::TcpStream;
use crate::backend::Backend;
use crate::registration::Side;
use crate::sim::Endpoint;
use crate::wait;

/// The "Connection Attempt Delay", as recommended.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Connects to `addr` within `timeout`.
pub(super) fn to_one(addr: SocketAddr, timeout: Option<Duration>) -> io::Result<TcpStream> {
    let stream = begin(addr)?;
    stream.socket.perform(Side::Write, timeout, established)?;
    Ok(stream)
}

/// Connects to whichever of `addrs` is there first.
pub(super) fn to_any(addrs: impl Iterator<Item = SocketAddr>) -> io::Result<TcpStream> {
    let mut addrs = interleave(addrs);
    match addrs.len() {
        0 => Err(io::Error::new(io::ErrorKind::InvalidInput, "could not resolve to any addresses")),
        1 => to_one(addrs.remove(0).unwrap_or_else(|| unreachable!("there is one")), None),
        _ => Race::new(addrs).run(),
    }
}

/// The families in turns, beginning with that of the first address; within each, the order stays.
fn interleave(addrs: impl Iterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let addrs: Vec<_> = addrs.collect();
    let is_first_family = |addr: &SocketAddr| addr.is_ipv4() == addrs[0].is_ipv4();
    let mut first = addrs.iter().copied().filter(is_first_family);
    let mut second = addrs.iter().copied().filter(|addr| !is_first_family(addr));
    let mut mixed = VecDeque::with_capacity(addrs.len());
    while mixed.len() < addrs.len() {
        mixed.extend(first.next());
        mixed.extend(second.next());
    }
    mixed
}

/// A connection that is under way, or there already.
fn begin(addr: SocketAddr) -> io::Result<TcpStream> {
    let kernel = || Ok(mio::net::TcpStream::connect(addr)?.into());
    Ok(TcpStream::on(Backend::choose(kernel, || Endpoint::connect(addr))?))
}

/// Whether a connection that was begun is there: `WouldBlock` until the kernel knows.
fn established(stream: &Backend<net::TcpStream>) -> io::Result<()> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(()),
        Err(error)
            if error.kind() == io::ErrorKind::NotConnected
                || error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) =>
        {
            Err(io::ErrorKind::WouldBlock.into())
        }
        Err(error) => Err(error),
    }
}

/// Attempts at several addresses, of which the first to succeed is taken.
struct Race {
    ahead: VecDeque<SocketAddr>,
    /// With their number, in the order in which they were begun.
    running: Vec<(usize, TcpStream)>,
    begun: usize,
    next_at: Instant,
    /// Of the last address that has failed, in the order of the addresses.
    failed: Option<(usize, io::Error)>,
}

impl Race {
    fn new(ahead: VecDeque<SocketAddr>) -> Self {
        Self { ahead, running: Vec::new(), begun: 0, next_at: clock::now(), failed: None }
    }

    fn run(mut self) -> io::Result<TcpStream> {
        loop {
            let now = clock::now();
            if (self.running.is_empty() || self.next_at <= now)
                && let Some(addr) = self.ahead.pop_front()
            {
                self.next_at = now + ATTEMPT_DELAY;
                let number = self.begun;
                self.begun += 1;
                match begin(addr) {
                    Ok(stream) => self.running.push((number, stream)),
                    Err(error) => self.fail(number, error),
                }
            }
            if let Some(stream) = self.wait()? {
                return Ok(stream);
            }
            if self.running.is_empty() && self.ahead.is_empty() {
                return Err(self.failed.map_or_else(|| io::ErrorKind::NotConnected.into(), |(_, error)| error));
            }
            // A fiber that was cancelled has no business with the other addresses.
            cancel::check()?;
        }
    }

    /// Waits until an attempt has ended, or the next is due. The connection, if it has succeeded.
    fn wait(&mut self) -> io::Result<Option<TcpStream>> {
        if self.running.is_empty() {
            return Ok(None);
        }
        let sockets: Vec<_> = self.running.iter().map(|(_, stream)| &stream.socket).collect();
        let waits: Vec<_> = sockets.iter().map(|socket| socket.waiting(Side::Write, None)).collect();
        let until = if self.ahead.is_empty() { None } else { Some(self.next_at) };
        let Some((index, outcome)) = wait::first(&waits, until, |index| established(sockets[index].io()))? else {
            return Ok(None);
        };
        let (number, stream) = self.running.remove(index);
        match outcome {
            Ok(()) => Ok(Some(stream)),
            Err(error) => {
                self.fail(number, error);
                Ok(None)
            }
        }
    }

    /// The next attempt need not wait for this one.
    fn fail(&mut self, number: usize, error: io::Error) {
        self.next_at = clock::now();
        if self.failed.as_ref().is_none_or(|(last, _)| *last < number) {
            self.failed = Some((number, error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_in_their_own_order() {
        let addr = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let [a, b, c] = ["[::1]:1", "[::2]:1", "[::3]:1"].map(addr);
        let [x, y] = ["1.0.0.1:1", "1.0.0.2:1"].map(addr);
        assert_eq!(interleave([a, b, c, x, y].into_iter()), [a, x, b, y, c]);
        assert_eq!(interleave([x, a, b, c, y].into_iter()), [x, a, y, b, c]);
        assert_eq!(interleave([x, y].into_iter()), [x, y]);
        assert_eq!(interleave([].into_iter()), []);
    }
}
