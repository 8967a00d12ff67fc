//! A service with a method for every behaviour, a peer that writes raw bytes, and a log to look into.

pub(crate) mod ledger;
pub(crate) mod log;
pub(crate) mod proxy;
pub(crate) mod raw;
pub(crate) mod streams;
pub(crate) mod stub;
pub(crate) mod turnstile;

use std::sync::Arc;

use fibra::rpc::Server;
use fibra::rpc::server::Builder;
use serde::{Deserialize, Serialize};

pub(crate) use turnstile::Turnstile;

pub(crate) const LOOPBACK: &str = "127.0.0.1:0";

/// What the tests call.
#[fibra::service]
pub(crate) trait Desk {
    /// The sum.
    #[rpc(idempotent)]
    fn add(&self, a: i64, b: i64) -> i64;

    /// Takes from an account that holds 100.
    fn withdraw(&self, cents: u64) -> Result<u64, Refusal>;

    /// Gives back what it gets.
    fn echo(&self, text: String) -> String;

    /// So many blanks.
    fn blanks(&self, count: u64) -> String;

    /// Goes through the turnstile.
    fn pass(&self);

    /// Panics with `message`.
    fn fail(&self, message: String);

    /// Goes through the turnstile, without a word to the caller.
    #[rpc(maybe)]
    fn pass_unseen(&self);

    /// Sleeps, for as long as it may.
    fn wait_a_while(&self, seconds: u64);

    /// Never returns by itself.
    fn wait_for_ever(&self);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Refusal {
    NotEnough { missing: u64 },
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self::NotEnough { missing } = self;
        write!(f, "{missing} cents are missing")
    }
}

impl std::error::Error for Refusal {}

/// A panic's payload that panics, too.
struct Bomb;

impl Bomb {
    const MESSAGE: &str = "twice";
}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("{}", Self::MESSAGE);
    }
}

/// The service's implementation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter {
    pub(crate) turnstile: Arc<Turnstile>,
}

impl Desk for Counter {
    fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }

    fn withdraw(&self, cents: u64) -> Result<u64, Refusal> {
        100_u64.checked_sub(cents).ok_or_else(|| Refusal::NotEnough { missing: cents - 100 })
    }

    fn echo(&self, text: String) -> String {
        text
    }

    fn blanks(&self, count: u64) -> String {
        " ".repeat(usize::try_from(count).expect("a test's count"))
    }

    fn pass(&self) {
        self.turnstile.pass();
    }

    fn fail(&self, message: String) {
        if message == Bomb::MESSAGE {
            std::panic::panic_any(Bomb);
        }
        panic!("{message}");
    }

    fn pass_unseen(&self) {
        self.turnstile.pass();
    }

    fn wait_a_while(&self, seconds: u64) {
        let _ = fibra::sleep(std::time::Duration::from_secs(seconds));
    }

    fn wait_for_ever(&self) {
        self.turnstile.enter();
        while fibra::sleep(std::time::Duration::from_secs(3600)).is_ok() {}
    }
}

/// Runs `f` on a runtime with one worker: fibers switch only where they wait, and all log on this thread.
pub(crate) fn on_one_worker<T>(f: impl FnOnce() -> T) -> T {
    fibra::runtime::builder().workers(1).run(f).expect("the runtime starts")
}

/// Runs `f` on a runtime with two workers.
pub(crate) fn on_two_workers<T>(f: impl FnOnce() -> T) -> T {
    fibra::runtime::builder().workers(2).run(f).expect("the runtime starts")
}

/// A server of a [`Counter`], and that counter.
pub(crate) fn serve() -> (Server, Counter) {
    serve_with(Server::builder())
}

pub(crate) fn serve_with(builder: Builder) -> (Server, Counter) {
    let counter = Counter::default();
    let server = builder.service(DeskServer::new(counter.clone())).bind(LOOPBACK).expect("a free port");
    (server, counter)
}

pub(crate) fn connect(server: &Server) -> DeskClient {
    DeskClient::connect(server.local_addr()).expect("the server listens")
}

pub(crate) fn join<T>(fiber: fibra::JoinHandle<T>) -> T {
    fiber.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Lets the others run until `condition` holds.
pub(crate) fn wait_until(condition: impl Fn() -> bool) {
    while !condition() {
        fibra::yield_now();
    }
}
