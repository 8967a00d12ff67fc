//! Opening a channel to several servers: the first that answers is enough.
//!
//! They are dialled one after the other, the next when the one before has failed or has not answered for a while, as RFC 8305 ("Happy Eyeballs") has it
//! for the addresses of one host. So a server whose host is gone costs a moment and not the connect timeout, and one that answers at once is the
//! only one that is dialled first.
//!
//! Invariant: each dial is its link's own. It goes on when another server has answered, or nobody waits any more, and ends at its own timeout.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::{cancel, clock};

use super::balance::ENDPOINTS_MAX;
use super::common::Common;
use super::connect;
use super::link::Link;
use super::target::Target;
use crate::error::ConnectError;
use crate::limits::NEXT_SERVER_DELAY;

/// Makes a link for each, and waits until one is connected.
///
/// # Errors
///
/// That of the last, if all have failed.
pub(super) fn connect_to_one(targets: Vec<Target>, common: &Arc<Common>) -> Result<Vec<Arc<Link>>, ConnectError> {
    let links = targets.into_iter().take(ENDPOINTS_MAX).map(|target| Link::later(target, Arc::clone(common)));
    let links = links.collect::<Result<Vec<_>, _>>()?;
    let begun_at = clock::now();
    let mut dialled = 0;
    let mut next_at = begun_at;
    loop {
        // Before the look: what changes from now on wakes this fiber.
        let waiting = common.wait();
        // One that is lost again by now has answered, too, and is not sought any more.
        if links.iter().any(|link| link.calls().has_connected()) {
            return Ok(links);
        }
        let has_failed = |link: &&Arc<Link>| link.calls().has_failed();
        let failed = links.iter().take(dialled).filter(has_failed).count();
        let Some(next) = links.get(dialled) else {
            if failed == links.len() {
                let nowhere = || ConnectError::Resolve(io::Error::new(io::ErrorKind::NotFound, "no server was named"));
                return Err(links.last().and_then(|link| link.calls().failure()).unwrap_or_else(nowhere));
            }
            wait(&links, None, begun_at)?;
            continue;
        };
        if failed == dialled || next_at <= clock::now() {
            next.calls().seek();
            dialled += 1;
            next_at = clock::now() + NEXT_SERVER_DELAY;
        } else {
            wait(&links, Some(next_at), begun_at)?;
        }
        drop(waiting);
    }
}

/// Waits for a change, and no longer than until then.
fn wait(links: &[Arc<Link>], until: Option<Instant>, begun_at: Instant) -> Result<(), ConnectError> {
    // How it has ended does not matter, unless it was the caller who was interrupted.
    let _ = park::wait(Reason::Call, until);
    match (cancel::check(), links.first()) {
        (Err(interrupted), Some(link)) => {
            Err(connect::io_error(link.peer(), clock::now() - begun_at, interrupted.into()))
        }
        _ => Ok(()),
    }
}
