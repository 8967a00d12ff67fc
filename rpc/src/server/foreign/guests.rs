//! The connections that speak another protocol, for who drains: nobody can tell their clients that the server is going down but by ending them.
//!
//! Invariant: after [`Guests::drain`] nothing more is read than what has come, from none of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fibra_net::{Shutdown, TcpStream};
use parking_lot::Mutex;
use slab::Slab;

/// See the [module](self).
#[derive(Debug, Default)]
pub(in crate::server) struct Guests {
    streams: Arc<Mutex<Slab<TcpStream>>>,
    draining: AtomicBool,
}

/// One of them, until this is dropped.
#[derive(Debug)]
pub(super) struct Guest {
    streams: Arc<Mutex<Slab<TcpStream>>>,
    key: Option<usize>,
}

impl Guests {
    /// Takes one in.
    pub(super) fn enter(&self, stream: &TcpStream) -> Guest {
        let mut streams = self.streams.lock();
        // Another handle to it: that cannot fail.
        let key = stream.try_clone().ok().map(|stream| streams.insert(stream));
        drop(streams);
        if self.draining.load(Ordering::Acquire) {
            end_reading(stream);
        }
        Guest { streams: Arc::clone(&self.streams), key }
    }

    /// What has come is still answered; then they end.
    pub(in crate::server) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        let streams = self.streams.lock();
        let all: Vec<_> = streams.iter().filter_map(|(_, stream)| stream.try_clone().ok()).collect();
        drop(streams);
        all.iter().for_each(end_reading);
    }
}

fn end_reading(stream: &TcpStream) {
    // Fails only if the peer was faster.
    let _ = stream.shutdown(Shutdown::Read);
}

impl Drop for Guest {
    fn drop(&mut self) {
        let gone = self.key.and_then(|key| self.streams.lock().try_remove(key));
        drop(gone);
    }
}
