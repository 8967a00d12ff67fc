//! Builds `vthread/`, a package of its own.
//!
//! It says that it needs Rust 1.96, one more than fibra, so it cannot be a dependency; it does build with 1.95, and so by the same
//! compiler as the rest.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, io};

pub(crate) fn build(folder: &Path) -> io::Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/servers/vthread/Cargo.toml");
    let target = folder.join("vthread");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    super::build(
        Command::new(cargo)
            .args(["build", "--release", "--locked", "--ignore-rust-version", "--quiet"])
            .arg("--manifest-path")
            .arg(manifest)
            .arg("--target-dir")
            .arg(&target),
    )?;
    Ok(target.join("release/compare-vthread"))
}
