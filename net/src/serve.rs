//! A server's accept loops: one on each worker, and a fiber for each connection.
//!
//! Invariant: all loops have ended when [`on_each_worker`] returns, and nobody holds `accept`; the fibers of the connections go on.

use std::sync::{Arc, Weak};
use std::{io, mem};

use fibra_scheduler::{Builder, JoinHandle, cancel, in_fiber};
use parking_lot::Mutex;

use crate::accept_loop::AcceptLoop;
use crate::reactor::{self, Errand};

/// What the loops of all workers share.
struct Service<A, H> {
    accept: A,
    /// Apart, since connections outlive the loops.
    handle: Arc<H>,
}

/// The loops of the other workers.
#[derive(Default)]
struct Others {
    loops: Vec<JoinHandle<()>>,
    /// Whether the caller's own has ended, so that no more are to begin.
    ended: bool,
}

/// Accepts by `accept` on every worker of the caller's runtime, and runs `handle` for each connection, on the worker that has accepted
/// it or on one that has more time.
///
/// # Errors
///
/// What ended the caller's own loop; `Unsupported` outside of a fiber.
pub(crate) fn on_each_worker<A, C, H>(accept: A, handle: H) -> io::Error
where
    A: Fn() -> io::Result<C> + Send + Sync + 'static,
    C: Send + 'static,
    H: Fn(C) + Send + Sync + 'static,
{
    if !in_fiber() {
        return io::Error::new(io::ErrorKind::Unsupported, "serving takes fibers: call it inside fibra::run");
    }
    let service = Arc::new(Service { accept, handle: Arc::new(handle) });
    let others = Arc::<Mutex<Others>>::default();
    let errand: Errand = {
        let (service, others) = (Arc::downgrade(&service), Arc::clone(&others));
        Arc::new(move || others.lock().begin(&service))
    };
    reactor::send_others(&errand);
    let error = service.accept_all();
    // A worker that is held up, and has not begun yet, will not.
    let loops = others.lock().end();
    for fiber in loops {
        fiber.cancel();
        // It does not panic; and if it did, it would have ended all the same.
        let _ = fiber.join();
    }
    error
}

impl Others {
    /// Begins the loop of a worker, on its thread.
    fn begin<A, C, H>(&mut self, service: &Weak<Service<A, H>>)
    where
        A: Fn() -> io::Result<C> + Send + Sync + 'static,
        C: Send + 'static,
        H: Fn(C) + Send + Sync + 'static,
    {
        // Not taken up once the caller has ended, which would then not be the last to let go of it.
        let Some(service) = (if self.ended { None } else { service.upgrade() }) else { return };
        // Fails if there may be no more fibers: then the other workers accept.
        if let Ok(fiber) = Builder::new().name("accept").spawn_local(move || drop(service.accept_all())) {
            self.loops.push(fiber);
        }
    }

    /// The loops; none begins any more.
    fn end(&mut self) -> Vec<JoinHandle<()>> {
        self.ended = true;
        mem::take(&mut self.loops)
    }
}

impl<A, C, H> Service<A, H>
where
    A: Fn() -> io::Result<C> + Send + Sync + 'static,
    C: Send + 'static,
    H: Fn(C) + Send + Sync + 'static,
{
    /// Accepts until that fails for good; returns how.
    fn accept_all(self: &Arc<Self>) -> io::Error {
        let mut state = AcceptLoop::new();
        loop {
            let connection = match state.next(&self.accept) {
                Some(Ok(connection)) => connection,
                Some(Err(error)) => return error,
                None => unreachable!("the error was the last item"),
            };
            let handle = Arc::clone(&self.handle);
            // It serves the connection, not the caller, whose deadline is not its own. If there may be no more fibers, the connection
            // is closed.
            let _ = cancel::shield(|| Builder::new().spawn(move || handle(connection)));
        }
    }
}
