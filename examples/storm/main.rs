//! A million fibers that end badly: they panic, index out of bounds, are cancelled, lose their handle while parked. Their siblings do not
//! notice, and at the end nothing is left of them.
//!
//! ```text
//! cargo run --release --example storm
//! cargo run --release --example storm -- --fibers 100000 --wave 5000
//! ```
//!
//! Linux only: the figures come from `/proc/self`.

mod process;
mod wave;

use std::process::ExitCode;
use std::{env, io};

use process::Process;

struct Options {
    fibers: u64,
    wave: u64,
}

fn main() -> ExitCode {
    let options = match options(env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}\nusage: storm [--fibers N] [--wave N]");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("storm: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { fibers: 1_000_000, wave: 10_000 };
    while let Some(name) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse().ok()).filter(|&value| value > 0);
        match (name.as_str(), value) {
            ("--fibers", Some(value)) => options.fibers = value,
            ("--wave", Some(value)) => options.wave = value,
            ("--fibers" | "--wave", None) => return Err(format!("{name} needs a number")),
            _ => return Err(format!("unknown argument: {name}")),
        }
    }
    Ok(options)
}

fn run(options: &Options) -> io::Result<()> {
    wave::hush();
    // What a process sets up once is not a leak: the allocator's arenas, the signal handler's thread-locals.
    wave::storm(options.wave, options.wave, drop)?;
    let before = Process::now()?;
    println!("Before: {before}.");
    let start = fibra::clock::now();
    let mut told = 0;
    let ends = wave::storm(options.fibers, options.wave, |so_far| {
        if so_far.total() >= told + options.fibers / 10 {
            told = so_far.total();
            let during = Process::now().map_or_else(|error| error.to_string(), |process| process.to_string());
            println!("  {told} fibers, {:.1?}: {during}", fibra::clock::now() - start);
        }
    })?;
    let took = fibra::clock::now() - start;
    let after = Process::now()?;
    println!(
        "{} fibers in {took:.1?}, {:.0} a second: {} panicked, {} indexed out of bounds, {} were cancelled, {} lost their handle \
         while parked;\n{} siblings ran undisturbed.",
        ends.total(),
        ends.total() as f64 / took.as_secs_f64(),
        ends.panicked,
        ends.out_of_bounds,
        ends.cancelled,
        ends.detached,
        ends.undisturbed,
    );
    println!("After: {after}.");
    match after.leaked_since(&before) {
        None => Ok(()),
        Some(leaks) => Err(io::Error::other(format!("something is left: {leaks}"))),
    }
}
