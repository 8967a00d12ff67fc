//! The options of a simulated socket. They are read back as they were set; what has an effect here says so.

use std::io;
use std::time::Duration;

use rustix::io::Errno;

use crate::Keepalive;

/// See the [module](self).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) nodelay: bool,
    pub(crate) ttl: u32,
    /// Zero: closing resets the connection.
    pub(crate) linger: Option<Duration>,
    /// Whether it finds out that its peer has gone.
    pub(crate) keepalive: Option<Keepalive>,
    /// For how long what does not arrive is sent again.
    pub(crate) user_timeout: Option<Duration>,
    pub(crate) quickack: bool,
    pub(crate) broadcast: bool,
}

impl Options {
    /// # Errors
    ///
    /// `InvalidInput` for what is no number of hops.
    pub(crate) fn set_ttl(&mut self, ttl: u32) -> io::Result<()> {
        if !(1..=255).contains(&ttl) {
            return Err(Errno::INVAL.into());
        }
        self.ttl = ttl;
        Ok(())
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodelay: false,
            ttl: 64,
            linger: None,
            keepalive: None,
            user_timeout: None,
            quickack: true,
            broadcast: false,
        }
    }
}
