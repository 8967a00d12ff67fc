//! The command `fibra`: what a server serves, and calls from a shell, with nothing generated and nothing compiled; and source of `.proto` files for what is.
//!
//! ```text
//!   fibra call 127.0.0.1:7000 calculator.add 3 5
//!                 │                │          └───┴─▶ types from the server ─▶ values ─┐
//!                 │                └─▶ fibra.reflection: the method, or near names     ▼
//!                 └─▶ Channel ═════════════════════════════════════════════════════▶ server
//!   8  ◀─ JSON ◀─ value ◀══════════════════════════════════════════════════════════════╛
//! ```
//!
//! ```sh
//! fibra list 127.0.0.1:7000
//! fibra describe 127.0.0.1:7000 calculator
//! fibra call 127.0.0.1:7000 calculator.add 3 5
//! ```
//!
//! # Modules
//!
//! Imports point down.
//!
//! | module | what it is |
//! |---|---|
//! | `options` | the command line |
//! | `list`, `call`, `bench` | the commands that ask a server |
//! | `generate` | source of `.proto` files |
//! | `shell` | completions and manual pages |
//! | `arguments` | words and JSON to the arguments of a method |
//! | `catalogue`, `names` | what a server says that it serves; what somebody may have meant |
//! | `connect` | a proxy for the server of the command line |
//! | `value`, `types` | values between JSON and MessagePack, by the spelling of their types |
//! | `output`, `failure` | lines that are printed; what went wrong, and its exit code |
//! | `duration` | `2s` |
//!
//! What it does not know: the wire, and any service but the reflection.

#![forbid(unsafe_code)]

mod arguments;
mod bench;
mod call;
mod catalogue;
mod connect;
mod duration;
mod failure;
mod generate;
mod list;
mod names;
mod options;
mod output;
mod shell;
mod types;
mod value;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use clap::builder::styling::AnsiColor;

use failure::{Exit, Failure};
use options::{Command, Options};

/// Stack of a fiber: JSON is read and written by recursion, and deeper than what a server takes.
const STACK_BYTES: usize = 1024 * 1024;

/// Does what the command line says, `args` with the program's name before them; errors go to the standard error output.
///
/// ```no_run
/// fn main() -> std::process::ExitCode {
///     fibra_cli::main(std::env::args_os())
/// }
/// ```
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let failure = match run(args) {
        Ok(()) => return Exit::Done.into(),
        Err(failure) => failure,
    };
    if !failure.is_silent() {
        let style = AnsiColor::Red.on_default().bold();
        // There is nobody left to be told.
        let _ = writeln!(anstream::stderr(), "{style}error:{style:#} {failure}");
    }
    failure.exit().into()
}

fn run(args: impl IntoIterator<Item = OsString>) -> Result<(), Failure> {
    let options = match Options::try_parse_from(args) {
        Ok(options) => options,
        Err(error) => {
            // `--help` and `--version` are among these.
            let printed = error.print();
            return match (error.use_stderr(), printed) {
                (true, _) => Err(Failure::Told(Exit::Usage)),
                (false, printed) => printed.map_err(Failure::Output),
            };
        }
    };
    match &options.command {
        Command::List(options) => in_a_runtime(|| list::list(options)),
        Command::Describe(options) => in_a_runtime(|| list::describe(options)),
        Command::Call(options) => in_a_runtime(|| call::call(options)),
        Command::Gen(options) => generate::generate(options),
        Command::Completions(options) => shell::completions(options),
        Command::Man(options) => shell::man(options),
        Command::Bench(options) => {
            let runtime = fibra::runtime::builder();
            let runtime = options.workers.into_iter().fold(runtime, |runtime, workers| runtime.workers(workers.get()));
            runtime.run(|| bench::bench(options)).map_err(no_runtime)?
        }
    }
}

/// One worker is enough for one call.
fn in_a_runtime(f: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    let runtime = fibra::runtime::builder().workers(1).stack_size(STACK_BYTES);
    runtime.run(f).map_err(no_runtime)?
}

fn no_runtime(error: io::Error) -> Failure {
    Failure::not_run(format!("the runtime does not start: {error}"))
}
