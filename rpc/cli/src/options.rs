//! The command line.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use fibra::rpc::Metadata;
use fibra::rpc::client::RetryPolicy;

use crate::duration;
use crate::failure::EXIT_CODES;

const CALL_HELP: &str = "\
Arguments are read by the types that the server tells: JSON where it is JSON, else text. What looks
like a number stays text for a String, and bytes are base64. Of a server that tells no types,
whatever is JSON is JSON.

A method that takes a stream reads the standard input: each line is an item, JSON or text as an
argument would be, and the end of the input is the end of the stream. A method that sends a stream
has its items printed, one a line; the last line is its value, unless that is ().

Servers that are not fibra's are called by PROTOCOL://HOST:PORT: msgpack-rpc, jsonrpc (a message a
line), lsp (behind Content-Length), http (JSON-RPC by POST; a path may follow).

Examples:
  fibra call 127.0.0.1:7000 calculator.add 3 5
  fibra call 127.0.0.1:7000 calculator.add --json '{\"a\": 3, \"b\": 5}'
  seq 10 | fibra call 127.0.0.1:7000 station.mean
  fibra call jsonrpc://127.0.0.1:7000 add 3 5";

const BENCH_HELP: &str = "\
Closed loop, without --rate: each caller waits for its answer and calls again, so that a slow server
is asked less. The latencies are those of the calls that were made.

Open loop, with --rate: calls are due at even intervals, and a call's latency counts from when it was
due, not from when a caller was free to make it: a server that stalls is charged for all calls that
were due meanwhile (what is left out otherwise is known as coordinated omission).

Examples:
  fibra bench 127.0.0.1:7000 calculator.add 3 5 --callers 64 --seconds 10
  fibra bench 127.0.0.1:7000 calculator.add 3 5 --rate 20000 --json";

const GEN_HELP: &str = "\
The source is for people, and to be committed; what has changed is printed. There is no protoc.

Examples:
  fibra gen api.proto --out src/api
  fibra gen api.proto --out src/api --check";

const COMPLETIONS_HELP: &str = "\
Examples:
  fibra completions bash > ~/.local/share/bash-completion/completions/fibra
  fibra completions zsh > ~/.zfunc/_fibra
  fibra completions fish > ~/.config/fish/completions/fibra.fish";

const MAN_HELP: &str = "\
Examples:
  fibra man call | man -l -
  fibra man --out ~/.local/share/man/man1";

/// Most calls a second that may be due: one a nanosecond.
const RATE_MAX: f64 = 1e9;

/// Asks fibra servers what they serve, calls them from a shell, and loads them.
#[derive(Debug, Parser)]
#[command(name = "fibra", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the services of a server.
    List(List),
    /// Shows a service's methods, with types, semantics and documentation.
    Describe(Describe),
    /// Calls a method, and prints its value as JSON.
    #[command(after_help = CALL_HELP)]
    Call(Call),
    /// Calls a method over and over, and tells how many calls a second there were, and how long they took.
    #[command(after_help = BENCH_HELP)]
    Bench(Bench),
    /// Makes Rust source of .proto files: messages, and services as the traits of `#[fibra::service]`.
    #[command(after_help = GEN_HELP)]
    Gen(Gen),
    /// Prints what a shell needs to complete this command's words.
    #[command(after_help = COMPLETIONS_HELP)]
    Completions(Completions),
    /// Prints a manual page.
    #[command(after_help = MAN_HELP)]
    Man(Man),
}

#[derive(Args, Debug)]
pub(crate) struct Gen {
    /// The files.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The folder that the source goes to.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
    /// Where what is imported is looked for; may be given several times. Default: the folder of each file.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) include: Vec<PathBuf>,
    /// Takes a message or a whole package from elsewhere; may be given several times.
    #[arg(long, value_name = "NAME=PATH", value_parser = extern_path)]
    pub(crate) extern_path: Vec<(String, String)>,
    /// Writes nothing, and fails if something would be written: for CI.
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell.
    pub(crate) shell: Shell,
}

#[derive(Args, Debug)]
pub(crate) struct Man {
    /// A subcommand, such as `call`. Default: the command itself.
    pub(crate) command: Option<String>,
    /// Writes the pages of all commands into this folder.
    #[arg(long, value_name = "FOLDER", conflicts_with = "command")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) server: Server,
    /// Prints a JSON array.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Describe {
    #[command(flatten)]
    pub(crate) server: Server,
    /// The service, or one method of it: `calculator`, `calculator.add`.
    pub(crate) service: String,
    /// Prints a JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Call {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(flatten)]
    pub(crate) target: Target,
    /// All arguments as one JSON object, by name, or as an array.
    #[arg(long, visible_alias = "json", value_name = "JSON", conflicts_with = "words")]
    pub(crate) args: Option<String>,
    #[command(flatten)]
    pub(crate) terms: Terms,
}

#[derive(Args, Debug)]
pub(crate) struct Bench {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(flatten)]
    pub(crate) target: Target,
    /// All arguments as one JSON object, by name, or as an array.
    #[arg(long, value_name = "JSON", conflicts_with = "words")]
    pub(crate) args: Option<String>,
    /// Fibers that call, each as soon as its last call has ended, or when one is due.
    #[arg(long, value_name = "COUNT", default_value = "64")]
    pub(crate) callers: NonZeroUsize,
    /// Connections that they share. Default: as many as there are workers.
    #[arg(long, value_name = "COUNT")]
    pub(crate) connections: Option<NonZeroUsize>,
    /// Threads that run all of that. Default: one a CPU.
    #[arg(long, value_name = "COUNT")]
    pub(crate) workers: Option<NonZeroUsize>,
    /// For how long. Default: 10, unless --calls says when it is enough.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub(crate) seconds: Option<Duration>,
    /// How many calls are enough.
    #[arg(long, value_name = "COUNT")]
    pub(crate) calls: Option<NonZeroU64>,
    /// An open loop: so many calls a second are due, however long those before them take.
    #[arg(long, value_name = "PER SECOND", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// Prints the results as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) terms: Terms,
}

/// Where the server is.
#[derive(Args, Debug)]
pub(crate) struct Server {
    /// The server: HOST:PORT. For `call` also PROTOCOL://HOST:PORT, if it is not fibra's.
    pub(crate) addr: String,
    /// How long connecting may take.
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "5s")]
    pub(crate) connect_timeout: Duration,
    /// Metadata that goes with every call; may be given several times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = entry)]
    pub(crate) metadata: Vec<(String, String)>,
}

/// What is called.
#[derive(Args, Debug)]
pub(crate) struct Target {
    /// The method: `calculator.add`, or `add` if only one service has it.
    pub(crate) method: String,
    /// Its arguments, in order.
    #[arg(value_name = "ARGUMENT", allow_negative_numbers = true)]
    pub(crate) words: Vec<String>,
}

/// How a call is made.
#[derive(Args, Debug)]
pub(crate) struct Terms {
    /// How long the call may take: 2s, 500ms. Default: 10s; of a call with streams, a day.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub(crate) timeout: Option<Duration>,
    /// How often a call that has surely not run, or is idempotent, is made again. Default: 3; of a bench, never.
    #[arg(long, value_name = "COUNT")]
    pub(crate) retry: Option<u32>,
}

impl Server {
    /// The metadata that was given.
    ///
    /// # Errors
    ///
    /// Why it cannot travel.
    pub(crate) fn metadata(&self) -> Result<Metadata, String> {
        let mut metadata = Metadata::new();
        for (key, value) in &self.metadata {
            metadata.insert(key, value).map_err(|error| format!("--metadata {key}: {error}"))?;
        }
        Ok(metadata)
    }
}

impl Terms {
    pub(crate) fn retry_policy(&self, default: u32) -> RetryPolicy {
        RetryPolicy::default().attempts(self.retry.unwrap_or(default).saturating_add(1))
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0 && *rate <= RATE_MAX);
    rate.ok_or_else(|| format!("a rate is a number of calls a second, up to {RATE_MAX}"))
}

fn extern_path(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok((name.to_owned(), path.to_owned())),
        _ => Err("what is elsewhere is NAME=PATH, such as google.type=::google_types".to_owned()),
    }
}

fn entry(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("metadata is KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }
}
