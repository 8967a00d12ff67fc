//! Clients that others wrote, as processes: what `.ci/clients` installs.
//!
//! Without them a test checks nothing, and says so; with `FIBRA_REQUIRE_CLIENTS` it fails.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fibra::rpc::Server;

/// Where a program is that clients need. `None`: it is not installed, and the test is to return.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/venv/bin").join(program);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = std::env::split_paths(&path).map(|directory| directory.join(program));
    let found =
        if program == "python" { Some(venv) } else { None }.into_iter().chain(system.filter(|_| program != "python"));
    let found = found.into_iter().find(|path| path.exists());
    if found.is_none() {
        let message = format!("{program} is not installed: run .ci/clients");
        assert!(std::env::var_os("FIBRA_REQUIRE_CLIENTS").is_none(), "{message}");
        eprintln!("SKIPPED: {message}");
    }
    found
}

/// Runs a script of `tests/dialects/clients` against a server, off the workers, and returns what it says.
pub(crate) fn run_python(script: &str, server: &Server) -> Option<String> {
    let python = find("python")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialects/clients").join(script);
    let addr = server.local_addr();
    let mut command = Command::new(python);
    command.arg(script).arg(addr.ip().to_string()).arg(addr.port().to_string());
    Some(output_of(command))
}

/// What a command says that is to succeed.
pub(crate) fn output_of(mut command: Command) -> String {
    let done =
        fibra::blocking(move || command.stdin(Stdio::null()).output()).expect("the pool takes it").expect("it starts");
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{told}\n{}", String::from_utf8_lossy(&done.stderr));
    told
}
