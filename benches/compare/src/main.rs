//! Compares fibers with a thread per connection, an event loop, stackless async and other fibers: the same two services, measured
//! alike, on your machine. And remote calls: fibra's with those of others.
//!
//! ```text
//! cargo run --release -p fibra-compare                            all of it, about three quarters of an hour
//! cargo run --release -p fibra-compare -- --quick                 the outline, two minutes
//! cargo run --release -p fibra-compare -- --workload rpc          remote calls only, a quarter of an hour
//! cargo run --release -p fibra-compare -- instructions fibra-raw  instructions of a call, by callgrind, half a minute
//! cargo run --release -p fibra-compare -- --help
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`servers`] | the peers, a file each: what to read |
//! | [`request`] | the two services, and what all servers share |
//! | [`serve`], [`load`] | the two kinds of child processes: server and client |
//! | [`plan`], [`run`], [`children`] | what is measured, in which order, and how |
//! | [`results`], [`report`] | what came out: medians, table, JSON, page |
//! | [`rpc`] | remote calls: peers, clients and results of their own |

mod calibration;
mod children;
mod load;
mod machine;
mod meters;
mod options;
mod placement;
mod plan;
mod progress;
mod report;
mod request;
mod results;
mod rpc;
mod run;
mod serve;
mod servers;
mod syscalls;

use std::process::ExitCode;

use clap::Parser;

use options::{Command, Options};

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match options.command {
        None => run::run(&options),
        Some(Command::Serve(arguments)) => serve::run(arguments),
        Some(Command::Load(arguments)) => load::run(&arguments),
        Some(Command::ServeRpc(arguments)) => rpc::server::run(arguments),
        Some(Command::Instructions(arguments)) => rpc::instructions::run(&arguments),
        Some(Command::Call(arguments)) => rpc::client::run(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fibra-compare: {error}");
            ExitCode::FAILURE
        }
    }
}
