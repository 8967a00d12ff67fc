//! While a server is dead for a minute, what its callers do about that, connecting again and retrying, is at most a tenth of their own calls; and when it is
//! back they are soon served.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fibra::clock;
use fibra::net::TcpListener;
use fibra::rpc::middleware::{Denial, Next};
use fibra::rpc::{CallError, Channel, Executed, Request, Server};
use fibra::sim::{Ending, Latency, Sim};

use crate::support::{Account, BANK, BankClient, BankServer, seeds, serve};

const MILLISECOND: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);
/// When the minute begins.
const DEATH: Duration = Duration::from_secs(1);
/// Until its clients know of it: longer than any latency.
const CROSSING: Duration = Duration::from_millis(5);
const CALLERS: u64 = 8;

/// What one caller saw of the minute, and how soon afterwards it was served.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    calls: u64,
    served_after: Option<Duration>,
}

/// Calls, again and again, from before the server's death until it is back.
fn call(bank: &BankClient, began: Instant) -> Result<Seen, CallError> {
    let (dead, back) = (began + DEATH, began + DEATH + MINUTE);
    let mut seen = Seen::default();
    loop {
        let called = clock::now();
        match bank.add(3, 5) {
            Ok(sum) => {
                assert_eq!(sum, 8);
                if called >= back {
                    return Ok(Seen { served_after: Some(clock::now() - back), ..seen });
                }
            }
            Err(error) if called < dead => return Err(error),
            // One that crosses the end of its connection may have run.
            Err(error) => assert!(error.executed() == Executed::No || called < dead + CROSSING, "{error:?}"),
        }
        if (dead..back).contains(&called) {
            seen.calls += 1;
        }
        fibra::sleep(20 * MILLISECOND).expect("nobody cancels it");
    }
}

/// One client machine with its callers, on one channel.
fn client(seen: &Rc<RefCell<Vec<Seen>>>, retries: &Rc<Cell<u64>>) -> Ending {
    let began = clock::now();
    fibra::sleep(MILLISECOND)?;
    let bank = BankClient::new(Channel::connect(BANK)?).within(100 * MILLISECOND);
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let bank = bank.clone();
            fibra::spawn_local(move || call(&bank, began))
        })
        .collect();
    for caller in callers {
        seen.borrow_mut().push(caller.join().expect("no panic")?);
    }
    retries.set(bank.channel().stats().retries);
    Ok(())
}

/// Runs a server that is `dead` for a minute; how many calls there were meanwhile, and how often they were made again.
fn run(seed: u64, dead: impl Fn(Instant) -> Ending + 'static) -> (u64, u64) {
    let mut sim = Sim::builder().seed(seed).latency(Latency::between(MILLISECOND / 10, MILLISECOND)).build();
    let (seen, retries) = <(Rc<RefCell<Vec<Seen>>>, Rc<Cell<u64>>)>::default();
    sim.host("bank", move || {
        dead(clock::now())?;
        serve(&Account::default())
    });
    sim.client("alice", {
        let (seen, retries) = (Rc::clone(&seen), Rc::clone(&retries));
        move || client(&seen, &retries)
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
    let seen = seen.borrow();
    let latest = seen.iter().filter_map(|seen| seen.served_after).max().expect("they were served");
    assert!(latest < Duration::from_secs(6), "seed {seed}: the last was served {latest:?} after the minute");
    (seen.iter().map(|seen| seen.calls).sum(), retries.get())
}

fn until(end: Instant) -> Ending {
    Ok(fibra::sleep(end - clock::now())?)
}

#[test]
fn that_hangs_up_on_whoever_connects() {
    for seed in seeds(4) {
        let dialled = Rc::new(Cell::new(0_u64));
        let (calls, _) = run(seed, {
            let dialled = Rc::clone(&dialled);
            move |began| {
                let server = Server::builder().service(BankServer::new(Account::default())).bind("0.0.0.0:7000")?;
                until(began + DEATH)?;
                server.shutdown();
                let listener = TcpListener::bind("0.0.0.0:7000")?;
                let counting = fibra::spawn_local({
                    let dialled = Rc::clone(&dialled);
                    move || {
                        while listener.accept().is_ok() {
                            dialled.set(dialled.get() + 1);
                        }
                    }
                });
                until(began + DEATH + MINUTE)?;
                counting.cancel();
                let _ = counting.join();
                Ok(())
            }
        });
        let dialled = dialled.get();
        assert!(dialled > 10 && dialled * 10 <= calls, "seed {seed}: {dialled} connections for {calls} calls");
    }
}

#[test]
fn that_refuses_every_call() {
    for seed in seeds(4) {
        let asked = Rc::new(Cell::new(0_u64));
        let (calls, retries) = run(seed, {
            let asked = Rc::clone(&asked);
            move |began| {
                let counted = Arc::new(AtomicU64::new(0));
                let server = Server::builder()
                    .service(BankServer::new(Account::default()))
                    .middleware({
                        let counted = Arc::clone(&counted);
                        move |request: &mut Request, next: Next<'_>| {
                            if clock::now() < began + DEATH {
                                return next.run(request);
                            }
                            counted.fetch_add(1, Ordering::Relaxed);
                            Denial::overloaded("it is dead", None).into()
                        }
                    })
                    .bind("0.0.0.0:7000")?;
                until(began + DEATH + MINUTE)?;
                asked.set(counted.load(Ordering::Relaxed));
                server.shutdown();
                Ok(())
            }
        });
        let asked = asked.get();
        assert!(retries > 0 && asked > 1_000, "seed {seed}: {asked} attempts, {retries} of them again");
        assert!(asked * 10 <= calls * 11, "seed {seed}: {asked} attempts for {calls} calls");
    }
}
