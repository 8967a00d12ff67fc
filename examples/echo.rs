//! An echo server: a fiber per connection, code as if each had a thread.
//!
//! ```text
//! cargo run --release --example echo -- --addr 127.0.0.1:7000 --workers 2
//! printf 'hello\n' | nc -N 127.0.0.1 7000
//! ```

use std::process::ExitCode;
use std::{env, io};

use fibra::net::{TcpListener, TcpStream};

const USAGE: &str = "usage: echo [--addr HOST:PORT] [--workers N]";

fn main() -> ExitCode {
    let (addr, workers) = match arguments() {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("echo: {problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let served = fibra::runtime::builder().workers(workers).run(|| serve(&addr)).flatten();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo: {addr}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(addr: &str) -> io::Result<()> {
    let listener = TcpListener::bind(addr)?;
    println!("echoing on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        // With as many fibers as there may be, this connection is dropped, which closes it; those that are served go on.
        if let Err(error) = fibra::Builder::new().spawn(move || echo(&stream)) {
            eprintln!("echo: closed a new connection: {error}");
        }
    }
    Ok(())
}

/// Sends everything back until the peer has nothing more to say. The fiber parks where a thread would block.
fn echo(stream: &TcpStream) {
    if let Err(error) = io::copy(&mut &*stream, &mut &*stream) {
        eprintln!("echo: {error}");
    }
}

fn arguments() -> Result<(String, usize), String> {
    let mut addr = String::from("127.0.0.1:7000");
    let mut workers = std::thread::available_parallelism().map_or(1, usize::from);
    let mut arguments = env::args().skip(1);
    while let Some(option) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{option} needs a value"))?;
        match option.as_str() {
            "--addr" => addr = value,
            "--workers" => match value.parse() {
                Ok(count) if count > 0 => workers = count,
                _ => return Err(format!("--workers takes a number from 1, not {value}")),
            },
            _ => return Err(format!("unknown option {option}")),
        }
    }
    Ok((addr, workers))
}
