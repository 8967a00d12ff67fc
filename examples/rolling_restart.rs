//! Two servers that are restarted in turns, under load: does a call fail, and does one run twice or not at all?
//!
//! ```text
//! cargo run --release --example rolling_restart -- --restarts 10
//! ```
//!
//! The servers are processes of their own, which drain when they get a SIGTERM and are then started again at their address. Calls run at most once; one in
//! three waits for a moment in its handler. Each server says as it ends how many calls have run there.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use fibra::clock;
use fibra::rpc::client::Proxy;
use fibra::rpc::service::{Method, Semantics};
use fibra::rpc::{Channel, Server};

const CALLERS: u64 = 64;
const DRAIN: Duration = Duration::from_secs(20);

fn method() -> Method {
    Method::named("desk.count", Semantics::AtMostOnce)
}

/// The child: serves until it is told to end.
fn serve(addr: &str) -> Result<(), Box<dyn Error>> {
    fibra::runtime::builder().workers(1).run(|| {
        let runs = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&runs);
        let count = move |(n,): (u64,)| {
            counted.fetch_add(1, Ordering::Relaxed);
            if n.is_multiple_of(3) {
                // Cancelled only if the drain was cut, which the caller sees.
                let _ = fibra::sleep(Duration::from_millis(2));
            }
        };
        let server = Server::builder().drain_on_sigterm(DRAIN).method(method(), count).bind(addr)?;
        println!("{}", server.local_addr());
        server.wait()?;
        println!("{}", runs.load(Ordering::Relaxed));
        Ok(())
    })?
}

struct Process {
    child: Child,
    lines: BufReader<ChildStdout>,
    addr: String,
}

impl Process {
    fn start(addr: &str) -> Result<Self, Box<dyn Error>> {
        let mut child =
            Command::new(std::env::current_exe()?).args(["--serve", addr]).stdout(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?);
        let addr = line(&mut lines)?;
        Ok(Self { child, lines, addr })
    }

    /// Has it drain and end; how many calls have run there.
    fn end(mut self) -> Result<u64, Box<dyn Error>> {
        Command::new("kill").arg(self.child.id().to_string()).status()?;
        let runs = line(&mut self.lines)?.parse()?;
        self.child.wait()?;
        Ok(runs)
    }
}

fn line(lines: &mut BufReader<ChildStdout>) -> Result<String, Box<dyn Error>> {
    let mut line = String::new();
    lines.read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

/// What the callers have seen.
#[derive(Default)]
struct Seen {
    answered: AtomicU64,
    failed: AtomicU64,
    slowest_micros: AtomicU64,
}

fn call_until(over: &AtomicBool, proxy: &Proxy, seen: &Seen) {
    let mut n = 0_u64;
    while !over.load(Ordering::Relaxed) {
        let begin = clock::now();
        match proxy.call::<_, ()>(&method(), &(n,)) {
            Ok(()) => seen.answered.fetch_add(1, Ordering::Relaxed),
            Err(error) => {
                eprintln!("{error}");
                seen.failed.fetch_add(1, Ordering::Relaxed)
            }
        };
        seen.slowest_micros.fetch_max(begin.elapsed().as_micros() as u64, Ordering::Relaxed);
        n += 1;
    }
}

fn restart_in_turns(restarts: usize) -> Result<(), Box<dyn Error>> {
    let mut servers = [Process::start("127.0.0.1:0")?, Process::start("127.0.0.1:0")?];
    let channel = Channel::connect_to(servers.each_ref().map(|server| server.addr.clone()))?;
    let (seen, over) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (proxy, seen, over) = (Proxy::new(channel.clone()), Arc::clone(&seen), Arc::clone(&over));
            fibra::spawn(move || call_until(&over, &proxy, &seen))
        })
        .collect();
    let mut runs = 0;
    for which in (0..2).cycle().take(restarts) {
        while !channel.endpoints().iter().all(|endpoint| endpoint.connected) {
            fibra::sleep(Duration::from_millis(1))?;
        }
        // Both serve for a while.
        fibra::sleep(Duration::from_millis(200))?;
        let addr = servers[which].addr.clone();
        let [first, second] = servers;
        let (old, other) = if which == 0 { (first, second) } else { (second, first) };
        let ended = fibra::blocking(move || old.end().map_err(|error| error.to_string()))?;
        runs += ended?;
        let new = Process::start(&addr)?;
        servers = if which == 0 { [new, other] } else { [other, new] };
    }
    over.store(true, Ordering::Relaxed);
    for caller in callers {
        let _ = caller.join();
    }
    drop(channel);
    for server in servers {
        runs += server.end()?;
    }
    let [answered, failed, slowest] =
        [&seen.answered, &seen.failed, &seen.slowest_micros].map(|count| count.load(Ordering::Relaxed));
    println!("{restarts} restarts, {CALLERS} callers: {answered} calls answered, {failed} failed; {runs} have run");
    println!("the slowest took {:.1} ms", slowest as f64 / 1e3);
    if failed > 0 || runs != answered { Err("not as promised".into()) } else { Ok(()) }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = std::env::args().collect();
    let option = |name| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    if let Some(addr) = option("--serve") {
        return serve(addr);
    }
    let restarts = option("--restarts").map(|text| text.parse()).transpose()?.unwrap_or(4);
    fibra::runtime::builder().workers(1).run(|| restart_in_turns(restarts))?
}
