//! A bank that makes money, found by simulation: a deposit that is sent again when its reply is lost counts twice. The seed, the smallest case that
//! was made of it, and the fix.
//!
//! ```text
//! cargo run --release --example simulate                      the bug, then the fix under 10,000 seeds
//! cargo run --release --example simulate -- --seeds 1000000
//! FIBRA_SIM_SEED=3 cargo run --release --example simulate     one seed, or FIBRA_SIM_CASE='..' as a failure prints it
//! ```

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use fibra::rpc::{CallError, Executed, Server};
use fibra::sim::{Case, Ending, Explorer};

/// A bank with one account.
#[fibra::service]
pub trait Bank {
    /// Puts something on the account. At most once, as nothing else is said.
    fn deposit(&self, cents: u64);

    /// The bug: it is not idempotent, and says that it is. A call whose reply is lost is made again.
    #[rpc(idempotent)]
    fn deposit_at_least_once(&self, cents: u64);
}

/// How much is there, on a disk that no crash harms.
#[derive(Clone, Default)]
struct Account(Arc<AtomicU64>);

impl Bank for Account {
    fn deposit(&self, cents: u64) {
        self.0.fetch_add(cents, Relaxed);
    }

    fn deposit_at_least_once(&self, cents: u64) {
        self.deposit(cents);
    }
}

/// Which of both clients call.
type Deposit = fn(&BankClient, u64) -> Result<(), CallError>;

/// The test. What has been deposited is there afterwards, and nothing else is.
fn no_money_is_made_or_lost(sim: &mut Case, deposit: Deposit) -> Ending {
    let (account, done, perhaps) = (Account::default(), Account::default(), Account::default());
    let disk = account.clone();
    sim.host("bank", move || {
        let bind = || Server::builder().service(BankServer::new(disk.clone())).bind("0.0.0.0:7000");
        patiently(bind)?.wait()?;
        Ok(())
    });
    for client in 0..sim.draw("clients", 1..=3) {
        let (done, perhaps, draws) = (done.clone(), perhaps.clone(), sim.draws());
        sim.client(&format!("client-{client}"), move || {
            let bank = patiently(|| BankClient::connect("bank:7000"))?;
            for _ in 0..draws.draw("deposits", 1..=20) {
                fibra::sleep(Duration::from_millis(draws.draw("pause", 0..=1000)))?;
                let cents = draws.draw("cents", 1..=100);
                match deposit(&bank, cents) {
                    Ok(()) => done.deposit(cents),
                    Err(error) if error.executed() == Executed::No => {}
                    Err(_) => perhaps.deposit(cents),
                }
            }
            Ok(())
        });
    }
    sim.run()?;
    let [account, done, perhaps] = [account, done, perhaps].map(|it| it.0.load(Relaxed));
    assert!(account >= done, "money is lost: {done} cents were deposited, {account} are there");
    assert!(account <= done + perhaps, "money is made: {done} cents were deposited, {account} are there");
    Ok(())
}

/// Tries again until it works: a bank may be down for a while, or have no socket left.
fn patiently<T, E>(mut attempt: impl FnMut() -> Result<T, E>) -> io::Result<T> {
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(_) => fibra::sleep(Duration::from_millis(100))?,
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let seeds = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] if cfg!(debug_assertions) => 300,
        [] => 10_000,
        [option, count] if option == "--seeds" => count.parse()?,
        _ => return Err("usage: simulate [--seeds COUNT]".into()),
    };
    let explorer = Explorer::new().seeds(0..seeds).environment();

    println!("deposits at least once:");
    match explorer.run(|sim| no_money_is_made_or_lost(sim, BankClient::deposit_at_least_once)) {
        Ok(summary) => println!("no bug shows in {} cases", summary.cases),
        Err(finding) => println!("{finding}"),
    }

    println!("\ndeposits at most once:");
    let (result, took) = timed(|| explorer.run(|sim| no_money_is_made_or_lost(sim, BankClient::deposit)));
    let summary = result?;
    let hours = summary.virtual_time.as_secs() / 3600;
    println!("{} cases pass, in {took:.1?} for {hours} hours; hash {:#018x}", summary.cases, summary.hash);
    Ok(())
}

/// Wall-clock time: what a simulation itself never sees.
#[allow(clippy::disallowed_methods)]
fn timed<T>(f: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    let value = f();
    (value, begin.elapsed())
}
