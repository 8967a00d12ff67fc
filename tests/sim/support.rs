//! What the tests of this layer share: a service, and a simulation of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fibra::rpc::Server;
use fibra::sim::{Ending, Sim};

pub(crate) const BANK: &str = "bank:7000";

/// The seeds to try: so many, or as many as `FIBRA_SIM_SEEDS` says.
pub(crate) fn seeds(count: u64) -> std::ops::Range<u64> {
    0..std::env::var("FIBRA_SIM_SEEDS").map_or(count, |seeds| seeds.parse().expect("a number of seeds"))
}

/// What the tests call.
#[fibra::service]
pub(crate) trait Bank {
    /// The sum.
    #[rpc(idempotent)]
    fn add(&self, a: i64, b: i64) -> i64;

    /// Puts something on the account; how much is there then. At most once.
    fn deposit(&self, cents: u64) -> u64;

    /// Takes its time.
    fn wait(&self, millis: u64);
}

/// An account that outlives its bank's crashes: the memory of the test, not of the host.
#[derive(Clone, Default)]
pub(crate) struct Account(Arc<AtomicU64>);

impl Account {
    pub(crate) fn balance(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Bank for Account {
    fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }

    fn deposit(&self, cents: u64) -> u64 {
        self.0.fetch_add(cents, Ordering::Relaxed) + cents
    }

    fn wait(&self, millis: u64) {
        // Its caller may not wait so long.
        let _ = fibra::sleep(std::time::Duration::from_millis(millis));
    }
}

/// A bank for `account`, as a real server has it.
pub(crate) fn serve(account: &Account) -> Ending {
    let server = loop {
        match Server::builder().service(BankServer::new(account.clone())).bind("0.0.0.0:7000") {
            Ok(server) => break server,
            // Out of sockets, for a while.
            Err(_) => fibra::sleep(std::time::Duration::from_millis(100))?,
        }
    };
    server.wait()?;
    Ok(())
}

/// A simulation with a host `bank`.
pub(crate) fn with_bank(builder: fibra::sim::Builder, account: &Account) -> Sim {
    let mut sim = builder.build();
    let account = account.clone();
    sim.host("bank", move || serve(&account));
    sim
}

/// A proxy of the bank, as soon as it can be had.
pub(crate) fn connect() -> std::io::Result<BankClient> {
    loop {
        match BankClient::connect(BANK) {
            Ok(bank) => return Ok(bank),
            Err(_) => fibra::sleep(std::time::Duration::from_millis(100))?,
        }
    }
}
