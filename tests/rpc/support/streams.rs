//! A service with streams: a method for every kind, and for every way in which one ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fibra::cancel::Interrupted;
use fibra::rpc::Server;
use fibra::rpc::client::Proxy;
use fibra::rpc::server::Builder;
use fibra::rpc::stream::{Receiver, Sender, StreamError};
use parking_lot::Mutex;

use super::{LOOPBACK, Refusal, Turnstile};

#[fibra::service]
pub(crate) trait Tap {
    /// The sum of what comes.
    fn sum(&self, numbers: Receiver<i64>) -> Result<i64, StreamError>;

    /// The numbers from 0 on; how many were sent.
    fn count(&self, until: u64, numbers: Sender<u64>) -> u64;

    /// What comes, in capitals.
    fn shout(&self, lines: Receiver<String>, out: Sender<String>) -> Result<u64, StreamError>;

    /// So many numbers, and then an error.
    fn refuse_after(&self, count: u64, numbers: Sender<u64>) -> Result<(), Refusal>;

    /// Goes through the turnstile before it takes anything; how many bytes came.
    fn hold(&self, blobs: Receiver<String>) -> Result<u64, StreamError>;

    /// Takes so many, and no more, and goes through the turnstile; their sum.
    fn take_some(&self, count: u64, numbers: Receiver<i64>) -> i64;

    /// Sends one, enters the turnstile, and sleeps for an hour.
    fn sleep(&self, beats: Sender<u64>);

    /// So many of so many bytes.
    fn blobs(&self, count: u64, bytes: u64, blobs: Sender<String>) -> Result<(), StreamError>;
}

/// The service's implementation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spring {
    pub(crate) turnstile: Arc<Turnstile>,
    /// Items that a handler has sent or taken.
    pub(crate) items: Arc<AtomicU64>,
    /// Items that a client has sent.
    pub(crate) sent: Arc<AtomicU64>,
    /// How a handler's stream has ended.
    pub(crate) ended: Arc<Mutex<Option<StreamError>>>,
    /// How a handler's sleep has ended.
    pub(crate) slept: Arc<Mutex<Option<Result<(), Interrupted>>>>,
}

impl Tap for Spring {
    fn sum(&self, numbers: Receiver<i64>) -> Result<i64, StreamError> {
        let mut sum = 0;
        for number in numbers {
            sum += number.inspect_err(|error| *self.ended.lock() = Some(error.clone()))?;
            self.items.fetch_add(1, Ordering::Relaxed);
        }
        Ok(sum)
    }

    fn count(&self, until: u64, numbers: Sender<u64>) -> u64 {
        for number in 0..until {
            if let Err(error) = numbers.send(number) {
                *self.ended.lock() = Some(error);
                break;
            }
            self.items.fetch_add(1, Ordering::Relaxed);
        }
        self.items.load(Ordering::Relaxed)
    }

    fn shout(&self, lines: Receiver<String>, out: Sender<String>) -> Result<u64, StreamError> {
        let mut count = 0;
        for line in lines {
            out.send(line?.to_uppercase())?;
            count += 1;
        }
        Ok(count)
    }

    fn refuse_after(&self, count: u64, numbers: Sender<u64>) -> Result<(), Refusal> {
        self.count(count, numbers);
        Err(Refusal::NotEnough { missing: count })
    }

    fn hold(&self, blobs: Receiver<String>) -> Result<u64, StreamError> {
        self.turnstile.pass();
        let mut bytes = 0;
        for blob in blobs {
            bytes += blob?.len() as u64;
            self.items.fetch_add(1, Ordering::Relaxed);
        }
        Ok(bytes)
    }

    fn take_some(&self, count: u64, mut numbers: Receiver<i64>) -> i64 {
        let sum = numbers.by_ref().take(count as usize).map_while(Result::ok).sum();
        drop(numbers);
        self.turnstile.pass();
        sum
    }

    fn sleep(&self, beats: Sender<u64>) {
        beats.send(1).expect("somebody listens");
        self.turnstile.enter();
        *self.slept.lock() = Some(fibra::sleep(Duration::from_secs(3600)));
    }

    fn blobs(&self, count: u64, bytes: u64, blobs: Sender<String>) -> Result<(), StreamError> {
        let blob = "x".repeat(bytes as usize);
        (0..count).try_for_each(|_| blobs.send(blob.clone()))
    }
}

/// A server of a [`Spring`] beside a desk, that spring, and a proxy.
pub(crate) fn serve() -> (Server, Spring, TapClient) {
    serve_with(Server::builder())
}

pub(crate) fn serve_with(builder: Builder) -> (Server, Spring, TapClient) {
    let spring = Spring::default();
    let desk = super::DeskServer::new(super::Counter::default());
    let server = builder.service(TapServer::new(spring.clone())).service(desk).bind(LOOPBACK).expect("a free port");
    let proxy = TapClient::connect(server.local_addr()).expect("the server listens");
    (server, spring, proxy)
}

/// A proxy that may say anything.
pub(crate) fn untyped(proxy: &TapClient) -> Proxy {
    Proxy::new(proxy.channel().clone())
}
