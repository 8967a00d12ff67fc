//! A server process: one peer with one workload, on the CPUs that it is given. It ends when the process that started it ends.

use std::fmt::Display;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs, thread};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::calibration::rounds_in_5_us;
use crate::placement;
use crate::request;
use crate::servers::{self, Kind, PEERS, Peer};

/// Where every server listens: a free port, which it then [announces](announce).
pub(crate) const LOOPBACK: &str = "127.0.0.1:0";

/// What a server does for its clients; see [`request`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Workload {
    /// 64-byte messages go back as they came
    Echo,
    /// Frames of 64 bytes, 5 us of CPU each, and a pause of 1 ms in 1 of 100
    Request,
}

impl Workload {
    pub(crate) const ALL: [Workload; 2] = [Workload::Echo, Workload::Request];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Workload::Echo => "echo",
            Workload::Request => "request",
        }
    }
}

/// What a peer is told.
pub(crate) struct Serving {
    pub(crate) workload: Workload,
    /// How many of its threads run handlers, if that is not one for each connection.
    pub(crate) workers: usize,
}

/// `fibra-compare serve`
#[derive(Args)]
pub(crate) struct Arguments {
    #[arg(value_parser = peers())]
    peer: &'static Peer,
    workload: Workload,
    /// Keep it on this CPU
    #[arg(long)]
    cpu: Option<usize>,
    /// Rounds of computation in 5 us [default: measured]
    #[arg(long)]
    rounds: Option<u64>,
    /// A server apart that has been built already
    #[arg(long, hide = true)]
    program: Option<PathBuf>,
    /// End with this process
    #[arg(long, hide = true)]
    parent: Option<u32>,
}

fn peers() -> impl TypedValueParser<Value = &'static Peer> {
    let names = PossibleValuesParser::new(PEERS.iter().map(|peer| peer.name));
    names.try_map(|name| servers::named(&name).ok_or("there is no such server"))
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
    let rounds = arguments.rounds.unwrap_or_else(rounds_in_5_us);
    match arguments.peer.kind {
        Kind::Here(serve) => {
            request::set_rounds(rounds);
            serve(&Serving { workload: arguments.workload, workers })
        }
        Kind::Apart(build) => {
            let program = arguments.program.map_or_else(|| build(&folder_for_servers()?), Ok)?;
            let mut command = Command::new(program);
            command.arg(arguments.workload.name()).arg(workers.to_string()).arg(rounds.to_string());
            // It takes over this process, and with it the CPUs and the tie to the parent.
            Err(command.exec())
        }
    }
}

/// Where the servers that are built apart go: beside this program.
pub(crate) fn folder_for_servers() -> io::Result<PathBuf> {
    let program = env::current_exe()?;
    let folder = program.with_file_name("fibra-compare-servers");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Tells the parent that the server listens, and where.
pub(crate) fn announce(address: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{address}")?;
    out.flush()
}
