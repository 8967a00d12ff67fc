//! A server with ten times as much to do as it can: how much of what it does is in time?
//!
//! ```text
//! cargo run --release --example overload -- --seconds 60
//! cargo run --release --example overload -- --uncontrolled      beside: without refusing what has waited too long
//! ```
//!
//! The server is a process of its own, with one worker; calls take 2 ms of it, and their callers wait 100 ms. The *peak* is what it answers
//! when four callers keep it busy. Then calls come at ten times that rate, whatever becomes of those before; and then at half of it.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fibra::clock;
use fibra::rpc::client::{Proxy, RetryPolicy};
use fibra::rpc::service::{Method, Semantics};
use fibra::rpc::{Channel, Server};

const COST: Duration = Duration::from_millis(2);
const TIMEOUT: Duration = Duration::from_millis(100);
const CONNECTIONS: usize = 16;

fn method() -> Method {
    Method::named("busy.work", Semantics::Idempotent)
}

/// The child: serves until its parent is gone.
fn serve(controlled: bool) -> Result<(), Box<dyn Error>> {
    fibra::runtime::builder().workers(1).run(|| {
        let builder = Server::builder();
        let builder = if controlled { builder } else { builder.queue_delay_max(Duration::MAX) };
        let server = builder
            .method(method(), |(): ()| {
                let end = clock::now() + COST;
                while clock::now() < end {
                    std::hint::spin_loop();
                }
            })
            .bind("127.0.0.1:0")?;
        println!("{}", server.local_addr());
        let _ = fibra::blocking(|| std::io::stdin().read_line(&mut String::new()))?;
        Ok(())
    })?
}

/// Ends with its parent, whose end of its standard input closes.
fn start(controlled: bool) -> Result<(Child, String), Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--serve").stdin(Stdio::piped()).stdout(Stdio::piped());
    if !controlled {
        command.arg("--uncontrolled");
    }
    let mut child = command.spawn()?;
    let mut addr = String::new();
    BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut addr)?;
    Ok((child, addr.trim().to_owned()))
}

#[derive(Default)]
struct Counts {
    answered: AtomicU64,
    refused: AtomicU64,
    expired: AtomicU64,
}

fn call(proxy: &Proxy, counts: &Counts) {
    use fibra::rpc::CallError;
    let count = match proxy.call::<_, ()>(&method(), &[(); 0]) {
        Ok(()) => &counts.answered,
        Err(CallError::Overloaded { .. }) => &counts.refused,
        Err(_) => &counts.expired,
    };
    count.fetch_add(1, Ordering::Relaxed);
}

/// So many callers, each with its next call as soon as it has an answer. Answers a second.
fn closed_loop(proxies: &[Proxy], callers: usize, time: Duration) -> f64 {
    let counts = Arc::new(Counts::default());
    let end = clock::now() + time;
    let callers: Vec<_> = (0..callers)
        .map(|n| {
            let (proxy, counts) = (proxies[n % proxies.len()].clone(), Arc::clone(&counts));
            fibra::spawn(move || {
                while clock::now() < end {
                    call(&proxy, &counts);
                }
            })
        })
        .collect();
    for caller in callers {
        let _ = caller.join();
    }
    counts.answered.load(Ordering::Relaxed) as f64 / time.as_secs_f64()
}

/// So many calls a second, whatever becomes of those before.
fn open_loop(proxies: &[Proxy], rate: f64, begin: Instant, time: Duration) -> Arc<Counts> {
    let counts = Arc::new(Counts::default());
    let mut made = 0_usize;
    while clock::now() < begin + time {
        let due = (clock::now().saturating_duration_since(begin).as_secs_f64() * rate) as usize;
        while made < due {
            let (proxy, counts) = (proxies[made % proxies.len()].clone(), Arc::clone(&counts));
            fibra::spawn(move || call(&proxy, &counts));
            made += 1;
        }
        if fibra::sleep(Duration::from_micros(500)).is_err() {
            break;
        }
    }
    counts
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = std::env::args().collect();
    let controlled = !args.iter().any(|arg| arg == "--uncontrolled");
    if args.iter().any(|arg| arg == "--serve") {
        return serve(controlled);
    }
    let seconds =
        args.iter().position(|arg| arg == "--seconds").and_then(|at| args.get(at + 1)).map(|text| text.parse());
    let time = Duration::from_secs(seconds.transpose()?.unwrap_or(3));
    fibra::runtime::builder().workers(1).run(|| {
        let (mut child, addr) = start(controlled)?;
        let proxies = (0..CONNECTIONS)
            .map(|_| Ok(Proxy::new(Channel::connect(&*addr)?).within(TIMEOUT).retry(RetryPolicy::never())))
            .collect::<Result<Vec<_>, fibra::rpc::ConnectError>>()?;
        let peak = closed_loop(&proxies, 4, Duration::from_secs(2));
        println!("peak: {peak:.0} calls a second");

        let counts = open_loop(&proxies, 10.0 * peak, clock::now(), time);
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let goodput = load(&counts.answered) as f64 / time.as_secs_f64();
        let (refused, expired) = (load(&counts.refused), load(&counts.expired));
        println!(
            "at ten times that: {goodput:.0} in time, {:.1} % of the peak; {refused} refused, {expired} too late",
            100.0 * goodput / peak
        );

        // Half of what it can: when was the last call refused or late?
        let begin = clock::now();
        let mut recovered = Duration::ZERO;
        while begin.elapsed() < Duration::from_secs(1) {
            let span = clock::now();
            let counts = open_loop(&proxies, peak / 2.0, span, Duration::from_millis(10));
            fibra::sleep(Duration::from_millis(5))?;
            if load(&counts.refused) + load(&counts.expired) > 0 {
                recovered = begin.elapsed();
            }
        }
        match recovered {
            Duration::ZERO => println!("after the load's end no call was refused or late"),
            last => println!("after the load's end the last call was refused or late within {last:.0?}"),
        }
        drop(child.stdin.take());
        child.wait()?;
        Ok(())
    })?
}
