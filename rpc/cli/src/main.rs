//! The command `fibra`. What it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    fibra_cli::main(std::env::args_os())
}
