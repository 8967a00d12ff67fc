//! Tells the program which compiler built it, for its report.

use std::env;
use std::process::Command;

fn main() {
    let version = env::var("RUSTC")
        .ok()
        .and_then(|rustc| Command::new(rustc).arg("--version").output().ok())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(|| "unknown".to_owned(), |version| version.trim().to_owned());
    println!("cargo::rustc-env=COMPARE_RUSTC={version}");
    println!("cargo::rerun-if-changed=build.rs");
}
