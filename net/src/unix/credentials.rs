//! Who is at the other end of a Unix stream, as the kernel knows it.
#![cfg(any(target_os = "linux", target_os = "android"))]

use std::io;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use rustix::process::{getegid, geteuid};

use super::UnixStream;
use crate::backend::Backend;

/// The user, group and process that called `connect`, `listen` or `socketpair` at the other end. Names and fields are those of std's
/// type, which is not stable yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct UCred {
    /// The effective user.
    pub uid: u32,
    /// The effective group.
    pub gid: u32,
    /// The process; `None` if it has no number here: it is in a PID namespace that this process does not see.
    pub pid: Option<i32>,
}

impl UnixStream {
    /// Who is at the other end (`SO_PEERCRED`): whoever it was when the connection was made.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let (near, _far) = fibra_net::UnixStream::pair()?;
    /// assert_eq!(near.peer_cred()?.pid, Some(std::process::id() as i32));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What `getsockopt` reports.
    pub fn peer_cred(&self) -> io::Result<UCred> {
        let kernel = match self.socket.io() {
            Backend::Kernel(stream) => stream,
            Backend::Simulated(endpoint) => {
                endpoint.unix_peer_addr()?;
                // All hosts of a simulation are this process.
                let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
                return Ok(UCred { uid, gid, pid: Some(std::process::id().cast_signed()) });
            }
        };
        let peer = getsockopt(kernel, PeerCredentials)?;
        // 0 is no process.
        let pid = Some(peer.pid()).filter(|pid| *pid != 0);
        Ok(UCred { uid: peer.uid(), gid: peer.gid(), pid })
    }
}
