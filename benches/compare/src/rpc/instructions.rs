//! How many instructions a server executes for a call, in user space, by callgrind's count: the same on a busy machine as on a quiet one.
//!
//! The server runs twice, and answers so many calls more the second time; what it executes more is what they cost. The kernel's part is
//! not in it, and how many calls one read brings differs from what it is at full speed: valgrind slows the server, not its client.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use clap::Args;

use super::peers::{self, Kind, Peer};
use super::session::Session;
use super::shape::{Callers, Shape};
use crate::children::Server;

/// `fibra-compare instructions`
#[derive(Args)]
pub(crate) struct Arguments {
    /// One of those that are part of this program
    #[arg(value_parser = peers::parser(), default_value = "fibra-raw")]
    peer: &'static Peer,
    /// How many calls are counted
    #[arg(long, default_value_t = 25_600)]
    calls: u64,
    /// Where callgrind's profiles go, for `callgrind_annotate`: callgrind.SHAPE.few and .many
    #[arg(long, default_value = "target/compare")]
    out: PathBuf,
}

/// Prints a line for each shape.
pub(crate) fn run(arguments: &Arguments) -> io::Result<()> {
    let Arguments { peer, calls, out } = arguments;
    if let Kind::Apart { .. } = peer.kind {
        return Err(io::Error::other("valgrind cannot run a server of another language"));
    }
    fs::create_dir_all(out)?;
    for shape in Shape::ALL {
        let Callers { number, .. } = shape.callers();
        let callers = (shape.connections() * number) as u64;
        // As many for each of those that are under way.
        let calls = calls.next_multiple_of(256) / callers;
        let profile = |name: &str| out.join(format!("callgrind.{}.{name}", shape.name()));
        let few = executed(peer, shape, calls, &profile("few"))?;
        let many = executed(peer, shape, 2 * calls, &profile("many"))?;
        let each = many.saturating_sub(few) as f64 / (calls * callers) as f64;
        println!("{}, {}: {each:.0} instructions a call", peer.label.trim(), shape.label());
    }
    Ok(())
}

/// What the server executes from its start to its end, with so many calls by each caller.
fn executed(peer: &Peer, shape: Shape, calls: u64, profile: &Path) -> io::Result<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--quiet", "--tool=callgrind"]);
    valgrind.arg(format!("--callgrind-out-file={}", profile.display())).arg(env::current_exe()?);
    let server = Server::listening_under(valgrind, &["serve-rpc", peer.name].map(OsStr::new))?;
    let mut client = Session::start(peer, None, &server, None)?;
    client.connect(shape.connections())?;
    client.exchange(calls, shape.callers())?;
    server.terminate()?;
    total(&fs::read_to_string(profile)?).ok_or_else(|| io::Error::other("callgrind wrote no totals"))
}

/// The instructions of a whole profile.
fn total(profile: &str) -> Option<u64> {
    profile
        .lines()
        .find_map(|line| line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")))?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_ends_with_its_total() {
        assert_eq!(total("version: 1\nevents: Ir\nfn=(1)\n0 7\n\ntotals: 1234\n"), Some(1234));
        assert_eq!(total("version: 1\n"), None);
    }
}
