//! The peers: what is compared. Each has a file of its own in this folder; these files are what to read.
//!
//! Most are part of this program. Go and vthread need a toolchain or a crate of their own and are built when they are first
//! needed ([`Kind::Apart`]); where that fails, the comparison goes on without them and says why.

mod event_loop;
mod fibra;
pub(crate) mod go;
mod may;
mod threads;
mod tokio;
mod vthread;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::serve::{Serving, Workload};

/// One of those compared.
pub(crate) struct Peer {
    /// On the command line, in the JSON, and as a class in the page.
    pub(crate) name: &'static str,
    /// Where people read.
    pub(crate) label: &'static str,
    /// Its file.
    pub(crate) source: &'static str,
    pub(crate) language: &'static str,
    /// How many file descriptors a connection takes.
    pub(crate) descriptors: u64,
    pub(crate) kind: Kind,
}

pub(crate) enum Kind {
    /// It runs in this program.
    Here(fn(&Serving) -> io::Result<()>),
    /// A program of its own, which the function builds into a folder. It takes workload, workers and rounds as arguments.
    Apart(fn(&Path) -> io::Result<PathBuf>),
}

/// In the order in which they are listed everywhere. The first is what the others are compared with.
pub(crate) const PEERS: [Peer; 8] = [
    Peer {
        name: "event-loop",
        label: "event loop (mio)",
        source: include_str!("servers/event_loop.rs"),
        language: "Rust",
        descriptors: 1,
        kind: Kind::Here(event_loop::serve),
    },
    Peer {
        name: "fibra",
        label: "fibra",
        source: include_str!("servers/fibra.rs"),
        language: "Rust",
        descriptors: 1,
        kind: Kind::Here(fibra::serve),
    },
    Peer {
        name: "tokio-current",
        label: "tokio, current thread",
        source: include_str!("servers/tokio.rs"),
        language: "Rust",
        descriptors: 1,
        kind: Kind::Here(tokio::current_thread),
    },
    Peer {
        name: "tokio-multi",
        label: "tokio, multi-thread",
        source: include_str!("servers/tokio.rs"),
        language: "Rust",
        descriptors: 1,
        kind: Kind::Here(tokio::multi_thread),
    },
    Peer {
        name: "may",
        label: "may",
        source: include_str!("servers/may.rs"),
        language: "Rust",
        descriptors: 1,
        kind: Kind::Here(may::serve),
    },
    Peer {
        name: "vthread",
        label: "vthread",
        source: include_str!("servers/vthread/main.rs"),
        language: "Rust",
        descriptors: 3, // While it waits, two duplicates.
        kind: Kind::Apart(vthread::build),
    },
    Peer {
        name: "go",
        label: "Go",
        source: include_str!("servers/go/main.go"),
        language: "Go",
        descriptors: 1,
        kind: Kind::Apart(go::build),
    },
    Peer {
        name: "threads",
        label: "thread per connection",
        source: include_str!("servers/threads.rs"),
        language: "Rust",
        descriptors: 1,
        kind: Kind::Here(threads::serve),
    },
];

/// The peer of that name.
pub(crate) fn named(name: &str) -> Option<&'static Peer> {
    PEERS.iter().find(|peer| peer.name == name)
}

impl Peer {
    /// The code that answers `workload` on one connection: what stands between the marks in the peer's file.
    pub(crate) fn handler(&self, workload: Workload) -> String {
        let mut inside = false;
        let mut lines = Vec::new();
        for line in self.source.lines() {
            match line.trim().strip_prefix("// ") {
                Some("end") => inside = false,
                Some(mark) if mark.starts_with("handler: ") => {
                    inside = mark["handler: ".len()..].split(", ").any(|name| name == workload.name());
                }
                _ if inside => lines.push(line),
                _ => {}
            }
        }
        lines.join("\n")
    }

    /// The version of the crate or toolchain behind it.
    pub(crate) fn version(&self) -> Option<String> {
        match self.name {
            "event-loop" => locked(WORKSPACE_LOCK, "mio"),
            "fibra" => locked(WORKSPACE_LOCK, "fibra"),
            "tokio-current" | "tokio-multi" => locked(WORKSPACE_LOCK, "tokio"),
            "may" => locked(WORKSPACE_LOCK, "may"),
            "vthread" => locked(include_str!("servers/vthread/Cargo.lock"), "vthread"),
            "go" => go::version(),
            _ => None,
        }
    }
}

const WORKSPACE_LOCK: &str = include_str!("../../../Cargo.lock");

/// The lines of code in `source`, without blank ones and comments.
pub(crate) fn lines_of_code(source: &str) -> usize {
    source.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

/// The version of `package` that this program is built with.
pub(crate) fn locked_here(package: &str) -> Option<String> {
    locked(WORKSPACE_LOCK, package)
}

/// The version of `package` in a Cargo.lock.
fn locked(lock: &str, package: &str) -> Option<String> {
    let entry = lock.split("[[package]]").find(|entry| entry.contains(&format!("\nname = \"{package}\"\n")))?;
    let version = entry.lines().find_map(|line| line.strip_prefix("version = "))?;
    Some(version.trim_matches('"').to_owned())
}

/// Runs what builds a peer. An error says what it said last.
pub(crate) fn build(command: &mut Command) -> io::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => io::Error::new(error.kind(), format!("no `{program}` on this machine")),
        _ => error,
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("nothing");
    Err(io::Error::other(format!("`{program}` could not build it; it said last: {last}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_has_a_handler_for_every_workload() {
        for peer in &PEERS {
            for workload in Workload::ALL {
                let lines = lines_of_code(&peer.handler(workload));
                assert!(lines > 5, "{}: {} has {lines} lines", peer.name, workload.name());
                assert!(lines < lines_of_code(peer.source), "{}: a handler ends before its file", peer.name);
            }
        }
    }

    #[test]
    fn comments_and_blank_lines_are_no_code() {
        assert_eq!(lines_of_code("// why\nlet a = 1;\n\n    /// what\n    b(); // there\n"), 2);
    }

    #[test]
    fn versions_come_from_the_lock_files() {
        for name in ["event-loop", "fibra", "tokio-multi", "may", "vthread"] {
            let version = named(name).and_then(Peer::version).unwrap_or_default();
            assert!(version.starts_with(|first: char| first.is_ascii_digit()), "{name}: {version:?}");
        }
    }
}
