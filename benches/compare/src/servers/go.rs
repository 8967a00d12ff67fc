//! Builds `go/main.go`, if there is a Go toolchain.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) fn build(folder: &Path) -> io::Result<PathBuf> {
    let program = folder.join("go-server");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/servers/go/main.go");
    super::build(Command::new("go").arg("build").arg("-o").arg(&program).arg(source))?;
    Ok(program)
}

/// As `go1.22.1`.
pub(crate) fn version() -> Option<String> {
    let output = Command::new("go").arg("version").output().ok()?;
    String::from_utf8(output.stdout).ok()?.split_whitespace().nth(2).map(str::to_owned)
}
