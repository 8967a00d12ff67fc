//! Ctrl-C ends a bench, not the program: what was measured until then is printed. The second one ends the program.

use std::io;
use std::thread;

use signal_hook::consts::SIGINT;
use signal_hook::iterator::{Handle, Signals};
use signal_hook::low_level::emulate_default_handler;

/// Listens until it is dropped.
#[derive(Debug)]
pub(super) struct Interrupt {
    handle: Handle,
}

impl Interrupt {
    /// Calls `told` at the first Ctrl-C, on a thread of its own.
    ///
    /// # Errors
    ///
    /// Signals cannot be listened for, or no thread started.
    pub(super) fn listen(told: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let mut signals = Signals::new([SIGINT])?;
        let handle = signals.handle();
        let listen = move || {
            let mut told = Some(told);
            for signal in signals.forever() {
                match told.take() {
                    Some(told) => told(),
                    // It ends the program; if it cannot, another one may.
                    None => drop(emulate_default_handler(signal)),
                }
            }
        };
        thread::Builder::new().name("bench interrupt".into()).spawn(listen)?;
        Ok(Self { handle })
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.handle.close();
    }
}
