//! A server process: one peer's, on the CPUs that it is given. It ends when the process that started it ends.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use clap::Args;

use super::peers::{self, Kind, Peer};
use crate::placement;
use crate::serve::folder_for_servers;

/// `fibra-compare serve-rpc`
#[derive(Args)]
pub(crate) struct Arguments {
    #[arg(value_parser = peers::parser())]
    peer: &'static Peer,
    /// Keep it on this CPU
    #[arg(long)]
    cpu: Option<usize>,
    /// A server apart that has been built already
    #[arg(long, hide = true)]
    program: Option<PathBuf>,
    /// End with this process
    #[arg(long, hide = true)]
    parent: Option<u32>,
}

/// Serves until killed.
pub(crate) fn run(arguments: Arguments) -> io::Result<()> {
    if let Some(parent) = arguments.parent {
        placement::end_with(parent)?;
    }
    if let Some(cpu) = arguments.cpu {
        placement::pin_to(cpu)?;
    }
    placement::raise_descriptor_limit()?;
    let workers = thread::available_parallelism()?.get();
    match &arguments.peer.kind {
        Kind::Here { serve, .. } => serve(workers),
        Kind::Apart { build, argument } => {
            let program = arguments.program.map_or_else(|| build(&folder_for_servers()?), Ok)?;
            Err(Command::new(program).args(["serve", argument]).arg(workers.to_string()).exec())
        }
    }
}
