//! A service with an ordered lane, which writes down in which order its calls ran.

use std::sync::Arc;
use std::time::Duration;

use fibra::rpc::Server;
use fibra::rpc::server::Builder;
use parking_lot::Mutex;

use super::{LOOPBACK, Turnstile};

#[fibra::service]
pub(crate) trait Ledger {
    /// Writes down `n`.
    #[rpc(ordered)]
    fn write(&self, n: u64) -> u64;

    /// Begins to write down `n`, goes through the turnstile, and ends.
    #[rpc(ordered)]
    fn write_slowly(&self, n: u64) -> u64;

    /// Writes down `n`, and takes so many microseconds for it.
    #[rpc(ordered)]
    fn write_in(&self, n: u64, micros: u64) -> u64;

    /// Of no lane: goes through the turnstile.
    fn pass(&self);

    /// What has been written.
    #[rpc(idempotent)]
    fn read(&self) -> Vec<u64>;
}

/// The service's implementation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    entries: Arc<Mutex<Vec<u64>>>,
    running: Arc<Mutex<Option<u64>>>,
    pub(crate) turnstile: Arc<Turnstile>,
}

impl Book {
    /// What has been written, in that order.
    pub(crate) fn entries(&self) -> Vec<u64> {
        self.entries.lock().clone()
    }

    fn write_during(&self, n: u64, wait: impl FnOnce()) -> u64 {
        assert_eq!(self.running.lock().replace(n), None, "two of one lane run at once");
        self.entries.lock().push(n);
        wait();
        *self.running.lock() = None;
        n
    }
}

impl Ledger for Book {
    fn write(&self, n: u64) -> u64 {
        self.write_during(n, || ())
    }

    fn write_slowly(&self, n: u64) -> u64 {
        self.write_during(n, || self.turnstile.pass())
    }

    fn write_in(&self, n: u64, micros: u64) -> u64 {
        self.write_during(n, || {
            let _ = fibra::sleep(Duration::from_micros(micros));
        })
    }

    fn pass(&self) {
        self.turnstile.pass();
    }

    fn read(&self) -> Vec<u64> {
        self.entries()
    }
}

/// A server of a [`Book`], and that book.
pub(crate) fn serve() -> (Server, Book) {
    serve_with(Server::builder())
}

pub(crate) fn serve_with(builder: Builder) -> (Server, Book) {
    let book = Book::default();
    let server = builder.service(LedgerServer::new(book.clone())).bind(LOOPBACK).expect("a free port");
    (server, book)
}

pub(crate) fn connect(server: &Server) -> LedgerClient {
    LedgerClient::connect(server.local_addr()).expect("the server listens")
}
