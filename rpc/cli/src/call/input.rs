//! The lines of the standard input, for a fiber.
//!
//! A plain thread reads them: a read of a terminal or a pipe waits for as long as it likes, and nothing but the end of the process cuts it.
//!
//! Invariant: the thread is at most [`AHEAD_MAX`] lines ahead of who takes them.

use std::io::{self, BufRead};
use std::thread;

use fibra::sync::channel::{self, Receiver};

/// Lines that are read before they are asked for.
const AHEAD_MAX: usize = 64;

/// The lines from now on, until the input ends or fails. Without their line ends.
///
/// # Errors
///
/// The operating system gives no thread.
pub(super) fn lines() -> io::Result<Receiver<io::Result<String>>> {
    let (sender, lines) = channel::bounded(AHEAD_MAX);
    let read = move || {
        for line in io::stdin().lock().lines() {
            let is_last = line.is_err();
            // Nobody takes them any more: the call has ended.
            if sender.send(line).is_err() || is_last {
                return;
            }
        }
    };
    thread::Builder::new().name("stdin".to_owned()).spawn(read)?;
    Ok(lines)
}
