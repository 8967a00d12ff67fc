//! A service that clients of others call, a peer that writes what they would, and those clients themselves.

pub(crate) mod clients;
pub(crate) mod http;
pub(crate) mod json;
#[path = "../rpc/support/log.rs"]
pub(crate) mod log;
pub(crate) mod msgpack;
pub(crate) mod peer;
#[path = "../rpc/support/turnstile.rs"]
pub(crate) mod turnstile;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fibra::rpc::Server;
use fibra::rpc::server::Builder;
use serde::{Deserialize, Serialize};

pub(crate) use turnstile::Turnstile;

pub(crate) const LOOPBACK: &str = "127.0.0.1:0";

/// What the tests call.
#[fibra::service]
pub(crate) trait Calculator {
    /// The sum.
    #[rpc(idempotent)]
    fn add(&self, a: i64, b: i64) -> i64;

    /// Counts up, and tells how far.
    fn count_up(&self) -> u64;

    /// The quotient.
    fn divide(&self, dividend: i64, divisor: i64) -> Result<i64, DivisionError>;

    /// Gives back what it gets.
    fn echo(&self, note: Note) -> Note;

    /// So many blanks.
    fn blanks(&self, count: u64) -> String;

    /// A value that is no JSON: a map with a key that is none.
    fn pairs(&self) -> std::collections::BTreeMap<(u8, u8), u8>;

    /// Goes through the turnstile.
    fn pass(&self);

    /// Panics with `message`.
    fn fail(&self, message: String);

    /// Never returns by itself.
    fn wait_for_ever(&self);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) text: String,
    #[serde(default)]
    pub(crate) ratio: Option<f64>,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum DivisionError {
    ByZero { dividend: i64 },
}

impl std::fmt::Display for DivisionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self::ByZero { dividend } = self;
        write!(f, "{dividend} by zero")
    }
}

impl std::error::Error for DivisionError {}

/// The service's implementation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Desk {
    pub(crate) turnstile: Arc<Turnstile>,
    pub(crate) count: Arc<AtomicU64>,
}

impl Calculator for Desk {
    fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }

    fn count_up(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn divide(&self, dividend: i64, divisor: i64) -> Result<i64, DivisionError> {
        dividend.checked_div(divisor).ok_or(DivisionError::ByZero { dividend })
    }

    fn echo(&self, note: Note) -> Note {
        note
    }

    fn blanks(&self, count: u64) -> String {
        " ".repeat(usize::try_from(count).expect("a test's count"))
    }

    fn pairs(&self) -> std::collections::BTreeMap<(u8, u8), u8> {
        [((1, 2), 3)].into()
    }

    fn pass(&self) {
        self.turnstile.pass();
    }

    fn fail(&self, message: String) {
        panic!("{message}");
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

/// A server of a [`Desk`], and that desk.
pub(crate) fn serve() -> (Server, Desk) {
    serve_with(Server::builder())
}

pub(crate) fn serve_with(builder: Builder) -> (Server, Desk) {
    let desk = Desk::default();
    let server = builder.service(CalculatorServer::new(desk.clone())).bind(LOOPBACK).expect("a free port");
    (server, desk)
}

/// A native caller, who goes on whatever others do.
pub(crate) fn connect(server: &Server) -> CalculatorClient {
    CalculatorClient::connect(server.local_addr()).expect("the server listens")
}
