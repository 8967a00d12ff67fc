//! What goes to the standard output: whole lines, and an error if they cannot.

use std::io::{self, IsTerminal, Write};

use crate::failure::Failure;
use crate::value::Layout;

/// Writes a line.
///
/// # Errors
///
/// [`Failure::Output`]: nobody reads it any more, or there is no room.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    written.map_err(Failure::Output)
}

/// For people on a terminal, for programs elsewhere.
pub(crate) fn layout() -> Layout {
    if io::stdout().is_terminal() { Layout::Pretty } else { Layout::Line }
}

/// Text of a server's, of several lines, without what steers a terminal.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().map(|char| if char.is_control() && char != '\n' { ' ' } else { char }).collect()
}
