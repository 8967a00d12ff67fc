//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::serve::Workload;
use crate::{load, rpc, serve};

/// Compares fibra with a thread per connection, an event loop (mio), tokio, may, vthread and Go, on this machine.
///
/// Remote calls are compared likewise: fibra's, tonic's, tarpc's and those of Go's net/rpc.
///
/// Every server runs in a process of its own and so does the client. Each peer is measured once a round, in an order that changes from
/// round to round; what is reported are medians over the rounds.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// An outline within two minutes: one short round, pinned, without the numbers of connections between
    #[arg(long)]
    pub(crate) quick: bool,

    /// How often everything is measured [default: 5, quick: 1]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: Option<u32>,

    /// How long each measurement takes, in seconds [default: 1, quick: 0.25]
    #[arg(long)]
    pub(crate) seconds: Option<f64>,

    /// Numbers of connections [default: 1,10,100,1000,10000; quick: 1,100,1000,10000]
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) connections: Vec<u32>,

    /// Only these peers, by name or the beginning of one
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,

    /// Only this workload
    #[arg(long, value_delimiter = ',')]
    pub(crate) workload: Vec<Chosen>,

    /// Only this placement [default: pinned and unpinned, rpc: all, quick: pinned]
    #[arg(long, value_delimiter = ',')]
    pub(crate) placement: Vec<Placement>,

    /// In the open loop, requests are due at this share of what the event loop (or whoever comes first) served in the closed one
    #[arg(long, default_value_t = 0.6)]
    pub(crate) open_share: f64,

    /// Also count each server's system calls for a request, with strace
    #[arg(long)]
    pub(crate) syscalls: bool,

    /// Where the results go: compare.html, compare.json, compare.svg
    #[arg(long, default_value = "target/compare")]
    pub(crate) out: PathBuf,

    /// The date to print [default: today]
    #[arg(long)]
    pub(crate) date: Option<String>,

    /// What to call this machine [default: its processor]
    #[arg(long)]
    pub(crate) machine: Option<String>,
}

impl Options {
    /// Which of the services for streams are to be measured.
    pub(crate) fn workloads(&self) -> Vec<Workload> {
        let chosen = |workload: &Workload| {
            self.workload.is_empty()
                || self.workload.iter().any(|chosen| match chosen {
                    Chosen::Echo => *workload == Workload::Echo,
                    Chosen::Request => *workload == Workload::Request,
                    Chosen::Rpc => false,
                })
        };
        Workload::ALL.into_iter().filter(chosen).collect()
    }

    /// Whether remote calls are to be measured.
    pub(crate) fn chooses_rpc(&self) -> bool {
        self.workload.is_empty() || self.workload.contains(&Chosen::Rpc)
    }
}

/// What may be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Chosen {
    /// 64-byte messages go back as they came
    Echo,
    /// Frames of 64 bytes, 5 us of CPU each, and a pause of 1 ms in 1 of 100
    Request,
    /// Remote calls of add(3, 5)
    Rpc,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run one of the servers, until killed; it prints its address
    Serve(serve::Arguments),
    /// The client of a comparison
    #[command(hide = true)]
    Load(load::Arguments),
    /// Run one of the RPC servers, until killed; it prints its address
    ServeRpc(rpc::server::Arguments),
    /// Count the instructions that an RPC server executes for a call, with valgrind
    Instructions(rpc::instructions::Arguments),
    /// The client of an RPC server
    #[command(hide = true)]
    Call(rpc::client::Arguments),
}

/// On which CPUs server and client run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Placement {
    /// The server on one CPU with one worker, the client on another
    Pinned,
    /// Server and client on the same CPU, with one worker each: they take turns
    Shared,
    /// Wherever the system puts them; a worker for each CPU
    Unpinned,
}

impl Placement {
    pub(crate) const ALL: [Placement; 3] = [Placement::Pinned, Placement::Shared, Placement::Unpinned];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Placement::Pinned => "pinned",
            Placement::Shared => "shared",
            Placement::Unpinned => "unpinned",
        }
    }

    /// Where server and client run, if `two` are there for them.
    pub(crate) fn cpus(self, two: (usize, usize)) -> (Option<usize>, Option<usize>) {
        match self {
            Placement::Pinned => (Some(two.0), Some(two.1)),
            Placement::Shared => (Some(two.0), Some(two.0)),
            Placement::Unpinned => (None, None),
        }
    }
}
