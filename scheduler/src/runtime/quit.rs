//! SIGQUIT prints a dump: for the moment when a process hangs and nobody has thought of asking it before.
//!
//! The handler only writes to a pipe; a thread of its own reads that and prints.

use std::io;
use std::sync::Arc;
use std::thread;

use signal_hook::consts::SIGQUIT;
use signal_hook::iterator::{Handle, Signals};

use super::Shared;
use crate::dump;

/// Stops listening when dropped. SIGQUIT is then ignored: nobody can know what it would have done without us.
#[derive(Debug)]
pub(super) struct QuitListener {
    handle: Handle,
    thread: Option<thread::JoinHandle<()>>,
}

impl QuitListener {
    pub(super) fn start(shared: &Arc<Shared>) -> io::Result<Self> {
        let mut signals = Signals::new([SIGQUIT])?;
        let (handle, shared) = (signals.handle(), shared.clone());
        let thread = thread::Builder::new().name("fibra-sigquit".into()).spawn(move || {
            let _enlisted = shared.roster.enlist();
            for _ in signals.forever() {
                eprintln!("{}", dump::collect(&shared));
            }
        })?;
        Ok(QuitListener { handle, thread: Some(thread) })
    }
}

impl Drop for QuitListener {
    fn drop(&mut self) {
        self.handle.close();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("printing a dump panicked");
        }
    }
}
