//! A service with streams: a method for every kind, and for every way in which one ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fibra::cancel::Interrupted;
use fibra::rpc::client::{Nothing, Proxy, Streaming};
use fibra::rpc::server::Builder;
use fibra::rpc::service::{Answer, Args, Descriptor, Method, Rejected, Reply, Semantics, Service, Streams};
use fibra::rpc::stream::{Receiver, Sender, StreamError};
use fibra::rpc::{CallError, Server};
use parking_lot::Mutex;

use super::{LOOPBACK, Refusal, Turnstile};

/// The service's implementation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tap {
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

impl Tap {
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

impl Service for Tap {
    fn descriptor(&self) -> &Descriptor {
        &DESCRIPTOR
    }

    fn dispatch(&self, method: usize, mut args: Args<'_>, reply: Reply<'_>) -> Result<Answer, Rejected> {
        Ok(match method {
            0 => {
                let numbers = args.receiver()?;
                args.decode::<[(); 0]>(0)?;
                reply.result(&self.sum(numbers))
            }
            1 => {
                let numbers = args.sender()?;
                let (until,) = args.decode(1)?;
                reply.value(&self.count(until, numbers))
            }
            2 => {
                let (lines, out) = (args.receiver()?, args.sender()?);
                args.decode::<[(); 0]>(0)?;
                reply.result(&self.shout(lines, out))
            }
            3 => {
                let numbers = args.sender()?;
                let (count,) = args.decode(1)?;
                reply.result(&self.refuse_after(count, numbers))
            }
            4 => {
                let blobs = args.receiver()?;
                args.decode::<[(); 0]>(0)?;
                reply.result(&self.hold(blobs))
            }
            5 => {
                let numbers = args.receiver()?;
                let (count,) = args.decode(1)?;
                reply.value(&self.take_some(count, numbers))
            }
            6 => {
                let beats = args.sender()?;
                args.decode::<[(); 0]>(0)?;
                self.sleep(beats);
                reply.value(&())
            }
            7 => {
                let blobs = args.sender()?;
                let (count, bytes) = args.decode(2)?;
                reply.result(&self.blobs(count, bytes, blobs))
            }
            _ => return Err(Rejected::Method),
        })
    }
}

const fn method(name: &'static str, streams: Streams) -> Method {
    Method::new(name, Semantics::AtMostOnce).with_streams(streams)
}

const METHODS: &[Method] = &const {
    [
        method("tap.sum", Streams::Client),
        method("tap.count", Streams::Server),
        method("tap.shout", Streams::Both),
        method("tap.refuse_after", Streams::Server),
        method("tap.hold", Streams::Client),
        method("tap.take_some", Streams::Client),
        method("tap.sleep", Streams::Server),
        method("tap.blobs", Streams::Server),
    ]
};

static DESCRIPTOR: Descriptor = Descriptor::new("tap", METHODS);

/// Its proxy.
#[derive(Clone, Debug)]
pub(crate) struct TapClient(pub(crate) Proxy);

type Begun<S, T, R, E> = Result<Streaming<S, T, R, E>, CallError<E>>;
type Never = std::convert::Infallible;

impl TapClient {
    pub(crate) fn within(&self, timeout: Duration) -> Self {
        Self(self.0.within(timeout))
    }

    pub(crate) fn sum(&self) -> Begun<i64, Nothing, i64, StreamError> {
        self.0.stream_fallible(&DESCRIPTOR.methods()[0], &[(); 0])
    }

    pub(crate) fn count(&self, until: u64) -> Begun<Nothing, u64, u64, Never> {
        self.0.stream(&DESCRIPTOR.methods()[1], &(until,))
    }

    pub(crate) fn shout(&self) -> Begun<String, String, u64, StreamError> {
        self.0.stream_fallible(&DESCRIPTOR.methods()[2], &[(); 0])
    }

    pub(crate) fn refuse_after(&self, count: u64) -> Begun<Nothing, u64, (), Refusal> {
        self.0.stream_fallible(&DESCRIPTOR.methods()[3], &(count,))
    }

    pub(crate) fn hold(&self) -> Begun<String, Nothing, u64, StreamError> {
        self.0.stream_fallible(&DESCRIPTOR.methods()[4], &[(); 0])
    }

    pub(crate) fn take_some(&self, count: u64) -> Begun<i64, Nothing, i64, Never> {
        self.0.stream(&DESCRIPTOR.methods()[5], &(count,))
    }

    pub(crate) fn sleep(&self) -> Begun<Nothing, u64, (), Never> {
        self.0.stream(&DESCRIPTOR.methods()[6], &[(); 0])
    }

    pub(crate) fn blobs(&self, count: u64, bytes: u64) -> Begun<Nothing, String, (), StreamError> {
        self.0.stream_fallible(&DESCRIPTOR.methods()[7], &(count, bytes))
    }

    /// `shout`, with items that are no lines.
    pub(crate) fn shout_numbers(&self) -> Begun<u64, String, u64, StreamError> {
        self.0.stream_fallible(&DESCRIPTOR.methods()[2], &[(); 0])
    }

    /// `sum`, as a plain call.
    pub(crate) fn sum_without_stream(&self) -> Result<i64, CallError<StreamError>> {
        self.0.call_fallible(&Method::named("tap.sum", Semantics::AtMostOnce), &[(); 0])
    }

    /// A plain method of the desk's, with a stream.
    pub(crate) fn add_with_stream(&self) -> Begun<i64, Nothing, i64, Never> {
        self.0.stream(&Method::named("desk.add", Semantics::AtMostOnce).with_streams(Streams::Client), &(1, 2))
    }

    /// What there is not.
    pub(crate) fn missing(&self) -> Begun<i64, Nothing, i64, Never> {
        self.0.stream(&Method::named("tap.missing", Semantics::AtMostOnce).with_streams(Streams::Client), &[(); 0])
    }
}

/// A server of a [`Tap`] beside a desk, that tap, and a proxy.
pub(crate) fn serve() -> (Server, Tap, TapClient) {
    serve_with(Server::builder())
}

pub(crate) fn serve_with(builder: Builder) -> (Server, Tap, TapClient) {
    let tap = Tap::default();
    let desk = super::DeskServer::new(super::Counter::default());
    let server = builder.service(tap.clone()).service(desk).bind(LOOPBACK).expect("a free port");
    let proxy = TapClient(Proxy::connect(server.local_addr()).expect("the server listens"));
    (server, tap, proxy)
}
