//! The project's own formatting, where there is a rustfmt.

use std::env;
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// `source` as rustfmt formats it in `directory`, by the `rustfmt.toml` that counts there; `None` if there is none, or it fails.
pub(crate) fn format(source: &str, directory: &Path) -> Option<String> {
    let rustfmt = env::var_os("RUSTFMT").unwrap_or_else(|| OsString::from("rustfmt"));
    let mut process = Command::new(rustfmt)
        .args(["--edition", "2024"])
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    // It reads to the end before it writes. The pipe closes with this statement.
    let written = process.stdin.take()?.write_all(source.as_bytes());
    let output = process.wait_with_output().ok()?;
    if written.is_err() || !output.status.success() {
        return None;
    }
    String::from_utf8(output.stdout).ok().filter(|formatted| !formatted.is_empty())
}
