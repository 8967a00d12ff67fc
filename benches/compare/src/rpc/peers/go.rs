//! Builds `go/main.go`, if there is a Go toolchain: net/rpc, with gob and with JSON.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) fn build(folder: &Path) -> io::Result<PathBuf> {
    let program = folder.join("go-rpc");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rpc/peers/go/main.go");
    crate::servers::build(Command::new("go").arg("build").arg("-o").arg(&program).arg(source))?;
    Ok(program)
}
