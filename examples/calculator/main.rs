//! Calling a function in another process: a calculator, served and called, and what happens when something goes wrong.
//!
//! The main job starts a server, adds 3 and 5 through it, then makes 100 calls on each of 1,000 connections at once, and says
//! how fast that went and on how many threads of the operating system:
//!
//! ```text
//! cargo run --release --example calculator
//! ```
//!
//! The same in two processes. The second server runs the same handlers on a thread per connection, to compare with:
//!
//! ```text
//! cargo run --release --example calculator -- serve 127.0.0.1:7000
//! cargo run --release --example calculator -- serve 127.0.0.1:7000 --threads
//!
//! cargo run --release --example calculator -- call 127.0.0.1:7000 add 3 5
//! cargo run --release --example calculator -- call 127.0.0.1:7000 divide 3 0
//! cargo run --release --example calculator -- load 127.0.0.1:7000
//! ```
//!
//! The server answers others, too, on the same port: any client of JSON-RPC or MessagePack-RPC, or what can POST. See docs/protocols.md.
//!
//! ```text
//! curl --json '[3, 5]' http://127.0.0.1:7000/calculator/add
//! curl --json '{"a": 3, "b": 5}' http://127.0.0.1:7000/calculator/add
//! curl --json '{"jsonrpc": "2.0", "method": "calculator.add", "params": [3, 5], "id": 1}' http://127.0.0.1:7000/
//! echo '{"jsonrpc": "2.0", "method": "add", "params": [3, 5], "id": 1}' | nc -N 127.0.0.1 7000
//! curl http://127.0.0.1:7000/healthz
//! ```
//!
//! Kill the server while `call 127.0.0.1:7000 add_slowly 3 5 60` waits, start it again, and see what the caller is told. Without a server the
//! caller goes on looking for one until its deadline.
//!
//! Read on in `service.rs`: the trait and its implementation, which is all that a service is.

mod load;
mod options;
mod service;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use fibra::rpc::Server;

use options::{Call, Command};
use service::{Arithmetic, CalculatorClient, CalculatorServer};

fn main() -> ExitCode {
    let command = match Command::parse(std::env::args().skip(1)) {
        Ok(command) => command,
        Err(problem) => {
            eprintln!("calculator: {problem}; {}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    match run(&command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("calculator: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::Demo => fibra::runtime::builder().run(demo)?,
        Command::Serve { addr, workers } => {
            let runtime = fibra::runtime::builder();
            let runtime = if let Some(workers) = workers { runtime.workers(*workers) } else { runtime };
            runtime.run(|| serve(Server::builder(), addr))?
        }
        // Threads block by themselves: there is no runtime to start.
        Command::ServeOnThreads { addr } => serve(Server::builder().thread_per_connection(), addr),
        Command::Call { addr, call } => fibra::runtime::builder().workers(1).run(|| ask(addr, call))?,
        Command::Load { addr } => fibra::runtime::builder().run(|| load(addr))?,
    }
}

/// Server and clients in one process.
fn demo() -> Result<(), Box<dyn Error>> {
    let server = Server::builder().service(CalculatorServer::new(Arithmetic)).bind("127.0.0.1:0")?;
    let proxy = CalculatorClient::connect(server.local_addr())?;
    println!("3 + 5 = {}", proxy.add(3, 5)?);
    load(&server.local_addr().to_string())
}

/// A thousand clients.
fn load(addr: &str) -> Result<(), Box<dyn Error>> {
    println!("{}", load::run(addr)?);
    Ok(())
}

/// A server, for ever.
fn serve(server: fibra::rpc::server::Builder, addr: &str) -> Result<(), Box<dyn Error>> {
    let server = server.service(CalculatorServer::new(Arithmetic)).bind(addr)?;
    println!("serving on {}", server.local_addr());
    Ok(server.wait()?)
}

/// One call.
fn ask(addr: &str, call: &Call) -> Result<(), Box<dyn Error>> {
    let proxy = CalculatorClient::connect(addr)?;
    let result = match *call {
        Call::Add(a, b) => proxy.add(a, b)?,
        Call::Divide(a, b) => proxy.divide(a, b)?,
        Call::AddSlowly(a, b, seconds) => {
            // A call waits for ten seconds unless it is told otherwise.
            let patient = proxy.within(Duration::from_secs(seconds.saturating_add(10)));
            patient.add_slowly(a, b, seconds)?
        }
    };
    println!("{result}");
    Ok(())
}
