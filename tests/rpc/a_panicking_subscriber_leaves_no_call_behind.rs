//! A call whose start ends with a panic of the user's own code around it is given up: nobody has its handle, and it takes up no place.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::support::{connect, on_one_worker, serve};

/// Panics when a span is left, once it is told to.
#[derive(Clone, Default)]
struct Grumpy(Arc<AtomicBool>);

impl Subscriber for Grumpy {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span()
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {
        assert!(!self.0.swap(false, Ordering::SeqCst), "a subscriber's bug");
    }
}

#[cfg(panic = "unwind")]
#[test]
fn that_was_started() {
    let subscriber = Grumpy::default();
    let panics = Arc::clone(&subscriber.0);
    tracing::subscriber::with_default(subscriber, || {
        on_one_worker(|| {
            let (server, counter) = serve();
            let desk = connect(&server);
            panics.store(true, Ordering::SeqCst);
            let started = catch_unwind(AssertUnwindSafe(|| drop(desk.start().pass())));
            assert!(started.is_err(), "it has panicked");
            assert_eq!(desk.channel().stats().in_flight, 0);
            counter.turnstile.open();
            desk.pass().expect("others are made");
        });
    });
}
