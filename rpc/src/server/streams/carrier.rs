//! How the frames of a server's streams are written: by the connection's stream writer.
//!
//! Invariant: nobody who sends waits for the peer here.

use std::sync::Arc;

use fibra_scheduler::park::Unparker;
use parking_lot::Mutex;

use crate::limits::FLUSH_BYTES;
use crate::outbox::Outbox;
use crate::stream::Carrier;

pub(crate) struct ServerCarrier {
    outbox: Arc<Outbox>,
    writer: Mutex<Option<Unparker>>,
}

impl ServerCarrier {
    pub(super) fn new(outbox: Arc<Outbox>) -> Self {
        Self { outbox, writer: Mutex::default() }
    }

    pub(crate) fn has_writer(&self) -> bool {
        self.writer.lock().is_some()
    }

    pub(crate) fn set_writer(&self, writer: Option<Unparker>) {
        *self.writer.lock() = writer;
    }

    /// Has the writer look what there is to do.
    pub(crate) fn wake_writer(&self) {
        let writer = self.writer.lock().clone();
        if let Some(writer) = writer {
            writer.unpark();
        }
    }
}

impl Carrier for ServerCarrier {
    fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    fn write_soon(&self, queued_bytes: usize) {
        self.wake_writer();
        if queued_bytes >= FLUSH_BYTES && fibra_scheduler::in_fiber() {
            // It is time to write, even if the sender has more.
            fibra_scheduler::yield_now();
        }
    }
}
