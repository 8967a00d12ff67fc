//! How fast a simulation is: calls of a server by two clients over a simulated network, in one thread.
//!
//! ```text
//! cargo run --release --example simulated_calls -- 500000
//! ```

use std::error::Error;
use std::time::{Duration, Instant};

use fibra::rpc::Server;
use fibra::sim::{Report, Sim};

/// What the clients call.
#[fibra::service]
pub trait Counter {
    /// The sum.
    fn add(&self, a: u64, b: u64) -> u64;
}

struct Sums;

impl Counter for Sums {
    fn add(&self, a: u64, b: u64) -> u64 {
        a + b
    }
}

/// A server and two clients, each of which makes `calls` calls from `callers` fibers.
fn simulate(seed: u64, callers: u64, calls: u64) -> Result<Report, Box<dyn Error>> {
    let mut sim = Sim::builder().seed(seed).build();
    sim.host("server", || {
        Server::builder().service(CounterServer::new(Sums)).bind("0.0.0.0:7000")?.wait()?;
        Ok(())
    });
    for client in ["alice", "bob"] {
        sim.client(client, move || {
            let counter = CounterClient::connect("server:7000")?;
            fibra::scope(|scope| {
                for caller in 0..callers {
                    let counter = &counter;
                    scope.spawn(move || {
                        for n in 0..calls / callers {
                            assert_eq!(counter.add(caller, n).ok(), Some(caller + n));
                        }
                    });
                }
            });
            Ok(())
        });
    }
    Ok(sim.run()?)
}

/// Wall-clock time: what the simulation itself never sees.
#[allow(clippy::disallowed_methods)]
fn timed<T>(f: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    let value = f();
    (value, begin.elapsed())
}

fn main() -> Result<(), Box<dyn Error>> {
    let calls: u64 = std::env::args().nth(1).map_or(Ok(200_000), |calls| calls.parse())?;
    for callers in [1, 4, 16, 64] {
        let (report, took) = timed(|| simulate(1, callers, calls / 2));
        let report = report?;
        let rate = calls as f64 / took.as_secs_f64();
        println!(
            "{callers:>2} callers a client: {calls} calls in {took:.2?}, {rate:.0} calls/s; {} switches, {} events, {:.1?} of virtual time",
            report.trace().events(),
            report.events(),
            report.elapsed(),
        );
    }
    const SMALL: u32 = 200;
    let (reports, took) = timed(|| (0..SMALL).map(|seed| simulate(seed.into(), 1, 25)).collect::<Result<Vec<_>, _>>());
    reports?;
    println!("a simulation of three hosts and 50 calls, from its builder to its end: {:.0?}", took / SMALL);
    Ok(())
}
