//! The kernel vouches for who is at the other end.

use std::io;
use std::process::{Command, Output};

use fibra::net::{UnixListener, UnixStream};

use crate::support::{Folder, on_one_worker};

#[test]
fn at_both_ends() -> io::Result<()> {
    let folder = Folder::new()?;
    on_one_worker(|| {
        let listener = UnixListener::bind(folder.file("socket"))?;
        let near = UnixStream::connect(folder.file("socket"))?;
        let (far, _) = listener.accept()?;
        for peer in [near.peer_cred()?, far.peer_cred()?] {
            assert_eq!(peer.pid.map(i32::cast_unsigned), Some(std::process::id()));
            assert_eq!(
                (peer.uid, peer.gid),
                (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
            );
        }
        Ok(())
    })
}

/// Runs `program` in a PID namespace of its own, where it sees nobody else.
fn apart(program: &mut Command) -> io::Result<Output> {
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--pid", "--fork"]).arg(program.get_program()).args(program.get_args());
    for (name, value) in program.get_envs() {
        unshare.env(name, value.unwrap_or_default());
    }
    unshare.output()
}

#[test]
fn but_for_a_process_that_cannot_be_seen() -> io::Result<()> {
    const SOCKET: &str = "FIBRA_TEST_SOCKET";
    if let Some(socket) = std::env::var_os(SOCKET) {
        assert_eq!(UnixStream::connect(socket)?.peer_cred()?.pid, None);
        return Ok(());
    }
    if !apart(&mut Command::new("true")).is_ok_and(|run| run.status.success()) {
        eprintln!("skipped: there may be no PID namespaces here");
        return Ok(());
    }
    let folder = Folder::new()?;
    let _listener = UnixListener::bind(folder.file("socket"))?;
    let run = apart(
        Command::new(std::env::current_exe()?)
            .args([
                "the_peer_of_a_unix_stream_is_known::but_for_a_process_that_cannot_be_seen",
                "--exact",
                "--nocapture",
            ])
            .env(SOCKET, folder.file("socket")),
    )?;
    let output = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && output.contains("1 passed"), "{output}\n{}", String::from_utf8_lossy(&run.stderr));
    Ok(())
}
