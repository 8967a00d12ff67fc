//! SIGTERM drains a server.
//!
//! The handler only writes to a pipe; a thread of its own reads that. Another does the draining, so that a second SIGTERM can cut it short.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use signal_hook::consts::SIGTERM;
use signal_hook::iterator::{Handle, Signals};

use super::drain::Drain;

/// Stops listening when dropped. SIGTERM is then ignored: nobody can know what it would have done without us.
#[derive(Debug)]
pub(super) struct Sigterm {
    handle: Handle,
}

impl Sigterm {
    /// From now on SIGTERM drains.
    ///
    /// # Errors
    ///
    /// Signals cannot be listened for, or no thread started.
    pub(super) fn listen(drain: &Arc<Drain>, timeout: Duration) -> io::Result<Self> {
        let mut signals = Signals::new([SIGTERM])?;
        let handle = signals.handle();
        let drain = Arc::clone(drain);
        thread::Builder::new().name("rpc sigterm".into()).spawn(move || {
            let mut has_begun = false;
            for _ in signals.forever() {
                if has_begun {
                    tracing::warn!("another SIGTERM: the server does not wait for what is under way");
                    drain.hurry();
                    continue;
                }
                has_begun = true;
                tracing::info!(?timeout, "SIGTERM: the server goes down");
                let draining = Arc::clone(&drain);
                let run = move || draining.run(timeout);
                if let Err(error) = thread::Builder::new().name("rpc drain".into()).spawn(run) {
                    tracing::warn!(%error, "a SIGTERM is waited out by its own thread");
                    drain.run(timeout);
                }
            }
        })?;
        Ok(Self { handle })
    }
}

impl Drop for Sigterm {
    fn drop(&mut self) {
        self.handle.close();
    }
}
